import Testing
import Underpass
import UnderpassBindings
import UnderpassFFI

/// A word that the library gains is missed here, or does not compile.
@Suite struct WordsTests {
    private func snake(_ word: some Any) -> String {
        var name = ""
        for c in "\(word)".prefix(while: { $0 != "(" }) { name += c.isUppercase ? "_\(c.lowercased())" : String(c) }
        return name
    }

    @Test func everyErrorHasItsCode() {
        let errors = vocabulary().statuses.filter { $0.number < 0 }
        #expect(Set(errors.map(\.number)) == Set(Underpass.TunnelError.Kind.allCases.map(\.rawValue)))
        for word in errors where word.number != -1 {
            let kind = Underpass.TunnelError.Kind(rawValue: word.number)
            #expect(kind.map { "E_\(snake($0).uppercased())" } == word.name)
        }
        let thrown: [UnderpassBindings.TunnelError] = [
            .Closed, .Size, .Argument(what: "x"), .Buffer, .Overlap, .Batch, .Key, .Config(diagnostics: [], more: 0),
            .LowOrderKey(index: nil), .TooManyPeers(index: 3), .Prefix(what: "x"), .Mtu, .Limit, .NoPeer, .Job, .Random, .Busy,
            .Panic, .Poisoned, .Memory,
        ]
        #expect(Set(thrown.map { $0.code() }) == Set(errors.map(\.number)))
    }

    @Test func everyEventHasItsNumber() {
        let path = Path(remote: SocketAddress(address: "192.0.2.1", port: 1, scopeId: 0), local: nil, link: 0)
        let events: [TunnelEvent] = [
            .sessionEstablished(peer: 1, user: 0), .handshakeFailed(peer: 1, user: 0), .sessionExpired(peer: 1, user: 0),
            .endpointMoved(peer: 1, user: 0, path: path), .resolveEndpoint(peer: 1, user: 0),
            .healthChanged(peer: 1, user: 0, health: .up), .timestampAhead(peer: 1, user: 0), .clockLeapt, .layoutChanged,
        ]
        for event in events {
            // No default: an event that is new does not compile here.
            switch event {
            case .sessionEstablished, .handshakeFailed, .sessionExpired, .endpointMoved, .resolveEndpoint, .healthChanged,
                .timestampAhead, .clockLeapt, .layoutChanged, .other:
                break
            }
        }
        // The number 8 stays taken, and does not come.
        let words = vocabulary().events.filter { $0.name != "lost" }
        #expect(Set(words.map { "\($0.number) \($0.name)" }) == Set(events.map { "\($0.kind()) \(snake($0))" }))
    }

    @Test func everyDropReasonHasItsName() {
        let reasons: [DropReason] = [
            .malformed, .badMac, .unknownIndex, .unknownPeer, .badTag, .lowOrderKey, .replay, .oldTimestamp, .keyExpired,
            .initiationFlood, .underLoad, .unexpectedCookie, .malformedPacket, .sourceNotAllowed, .congestion, .noRoute,
            .noEndpoint, .tooBig, .noRoom, .stagedOverflow, .handshakeFailed, .noPrivateKey, .loop, .refused, .noMemory,
        ]
        #expect(vocabulary().dropReasons.map(\.name) == reasons.map(snake))
    }

    @Test func everySendErrorHasItsName() {
        let kinds: [SendError] = [.unreachable, .familyGone, .noSource, .tooBig, .refused, .denied, .other]
        #expect(vocabulary().sendErrors.map(\.name) == kinds.map(snake))
    }

    @Test func lesson25VerdictsHaveTheNumbersOfTheLibrary() {
        let numbers = [
            UNDERPASS_FEED_SEND, UNDERPASS_FEED_DELIVER, UNDERPASS_FEED_REPLY, UNDERPASS_FEED_BOUNCE, UNDERPASS_FEED_CONSUMED,
            UNDERPASS_FEED_STAGED, UNDERPASS_FEED_DROPPED,
        ]
        #expect(Verdict.allCases.map(\.rawValue) == numbers.map(Int64.init))
    }
}
