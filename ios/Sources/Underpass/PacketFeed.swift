// The door for packets: slots of one slab, one call for a batch.
import Foundation
import UnderpassBindings
import UnderpassFFI

/// What became of a slot.
public enum Verdict: Int64, Sendable, CaseIterable {
    /// Send the bytes of the slot to `remote`.
    case send = 1
    /// Give them to the virtual interface: a packet from `peer`.
    case deliver = 2
    /// A cookie reply: send them back where the datagram came from.
    case reply = 3
    /// An ICMP error: give it to the virtual interface.
    case bounce = 4
    /// Taken in: poll.
    case consumed = 5
    /// Copied, until there is a session: poll.
    case staged = 6
    /// Gone, and counted; `reason` says why.
    case dropped = 7
}

/// Moves packets and datagrams of a tunnel. They lie in slots; a batch is the first slots. After each batch do what the verdicts ask
/// for, then call `pollTransmits` until it gives less than it was asked for, then `pollTimeout`.
///
/// It belongs to one task or thread at a time, which the compiler sees to. The slab is made once and used again.
public final class PacketFeed {
    public static let maxSlots = 256
    public static let maxStride = 131_072

    public let slots: Int
    public let stride: Int
    private let slab: UnsafeMutableRawBufferPointer
    private let facts: UnsafeMutableBufferPointer<Int64>
    private let handle: Int64

    init(_ tunnel: Tunnel, slots: Int, stride: Int) throws(TunnelError) {
        guard (1...Self.maxSlots).contains(slots), (1...Self.maxStride).contains(stride) else {
            throw TunnelError(.argument, "slots or stride")
        }
        let slab = UnsafeMutableRawBufferPointer.allocate(byteCount: slots * stride, alignment: 16)
        let facts = UnsafeMutableBufferPointer<Int64>.allocate(capacity: slots * Int(UNDERPASS_FEED_LONGS))
        slab.initializeMemory(as: UInt8.self, repeating: 0)
        facts.initialize(repeating: 0)
        let handle = underpass_feed_open(
            tunnel.dataPlaneId(), slab.baseAddress?.assumingMemoryBound(to: UInt8.self), slab.count, facts.baseAddress,
            facts.count, Int32(slots), Int32(stride))
        guard handle > 0 else {
            slab.deallocate()
            facts.deallocate()
            throw TunnelError(code: Int32(truncatingIfNeeded: handle))
        }
        (self.slots, self.stride, self.slab, self.facts, self.handle) = (slots, stride, slab, facts, handle)
    }

    deinit {
        // No call is under way, since nobody refers to it any more.
        underpass_feed_close(handle)
        slab.deallocate()
        facts.deallocate()
    }

    /// Bytes that a packet needs before it in its slot.
    public func headroom() throws(TunnelError) -> Int { try checked(underpass_feed_headroom(handle)) }

    /// Bytes that a packet needs behind it in its slot.
    public func tailroom() throws(TunnelError) -> Int { try checked(underpass_feed_tailroom(handle)) }

    /// Bytes that a slot must have for `pollTransmits`.
    public func transmitBuffer() throws(TunnelError) -> Int { try checked(underpass_feed_transmit_buffer(handle)) }

    /// Seals the packets of the first `count` slots.
    public func handlePackets(_ count: Int) throws(TunnelError) {
        _ = try checked(underpass_feed_handle_packets(handle, Int32(clamping: count)))
    }

    /// Opens the datagrams of the first `count` slots.
    public func handleDatagrams(_ count: Int) throws(TunnelError) {
        _ = try checked(underpass_feed_handle_datagrams(handle, Int32(clamping: count)))
    }

    /// Writes what is to be sent into the first slots. Says how many.
    public func pollTransmits() throws(TunnelError) -> Int {
        try checked(underpass_feed_poll_transmits(handle, Int32(clamping: slots)))
    }

    /// Does what has fallen due.
    public func handleTimeout() throws(TunnelError) {
        _ = try checked(underpass_feed_handle_timeout(handle))
    }

    /// When `handleTimeout` is due, in nanoseconds of the tunnel's clock; nil: never, until something else is done.
    public func pollTimeout() throws(TunnelError) -> UInt64? {
        let due = underpass_feed_poll_timeout(handle)
        guard due >= 0 else { throw TunnelError(code: Int32(truncatingIfNeeded: due)) }
        return due == Int64.max ? nil : UInt64(due)
    }

    /// Says that the datagram in `slot`, which was to be sent, could not be.
    public func sendFailed(_ slot: Int, _ kind: SendError) throws(TunnelError) {
        let number: Int32
        switch kind {
        case .unreachable: number = 0
        case .familyGone: number = 1
        case .noSource: number = 2
        case .tooBig: number = 3
        case .refused: number = 4
        case .denied: number = 5
        case .other: number = 6
        }
        _ = try checked(underpass_feed_send_error(handle, Int32(clamping: slot), number))
    }

    /// Puts a packet into a slot, with room around it, or a datagram with none. False: it does not fit, and the slot stays as it is.
    public func load(_ slot: Int, _ bytes: UnsafeRawBufferPointer, headroom: Int = 0, tailroom: Int = 0) -> Bool {
        guard headroom >= 0, tailroom >= 0, let room = room(slot), room.count - bytes.count >= headroom + tailroom else {
            return false
        }
        UnsafeMutableRawBufferPointer(rebasing: room[headroom...]).copyMemory(from: bytes)
        place(slot, start: headroom, count: bytes.count)
        return true
    }

    /// Lets `body` write a datagram into a slot; it answers how many bytes it wrote, or nil.
    public func fill(_ slot: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int?) -> Int? {
        guard let room = room(slot), let count = body(room), (0...room.count).contains(count) else { return nil }
        place(slot, start: 0, count: count)
        return count
    }

    /// The packet or datagram of a slot; it is empty where there is nothing to send or deliver.
    public func withBytes<R>(_ slot: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let (start, count) = (Int(fact(slot, UNDERPASS_FEED_START)), Int(fact(slot, UNDERPASS_FEED_LEN)))
        guard let room = room(slot), start >= 0, count >= 0, start <= room.count, count <= room.count - start else {
            return try body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return try body(UnsafeRawBufferPointer(rebasing: room[start..<start + count]))
    }

    public func place(_ slot: Int, start: Int, count: Int) {
        set(slot, UNDERPASS_FEED_START, Int64(start))
        set(slot, UNDERPASS_FEED_LEN, Int64(count))
    }

    public func verdict(_ slot: Int) -> Verdict {
        Verdict(rawValue: fact(slot, UNDERPASS_FEED_VERDICT)) ?? .dropped
    }

    /// With `dropped` and `bounce`: why, a number of the vocabulary's drop reasons.
    public func reason(_ slot: Int) -> Int { Int(fact(slot, UNDERPASS_FEED_REASON)) }

    /// Whom it goes to or comes from; 0: no peer.
    public func peer(_ slot: Int) -> UInt64 { UInt64(bitPattern: fact(slot, UNDERPASS_FEED_PEER)) }

    /// The ECN bits of the outer header.
    public func ecn(_ slot: Int) -> UInt8 { UInt8(truncatingIfNeeded: fact(slot, UNDERPASS_FEED_ECN)) }

    public func setECN(_ slot: Int, _ bits: UInt8) { set(slot, UNDERPASS_FEED_ECN, Int64(bits)) }

    /// The number that the host gave the socket.
    public func setLink(_ slot: Int, _ number: UInt32) { set(slot, UNDERPASS_FEED_LINK, Int64(number)) }

    /// The other side; nil: none is said.
    public func remote(_ slot: Int) -> RawEndpoint? {
        let port = UInt16(truncatingIfNeeded: fact(slot, UNDERPASS_FEED_REMOTE_PORT))
        let (high, low) = (fact(slot, UNDERPASS_FEED_REMOTE_HIGH), fact(slot, UNDERPASS_FEED_REMOTE_LOW))
        switch fact(slot, UNDERPASS_FEED_REMOTE_FAMILY) {
        case 4: return RawEndpoint(.v4(UInt32(truncatingIfNeeded: low)), port: port)
        case 6:
            let scope = UInt32(truncatingIfNeeded: fact(slot, UNDERPASS_FEED_REMOTE_SCOPE))
            return RawEndpoint(.v6(UInt64(bitPattern: high), UInt64(bitPattern: low)), port: port, scope: scope)
        default: return nil
        }
    }

    /// Where a datagram came from. Our own address is left to the system.
    public func setRemote(_ slot: Int, _ remote: RawEndpoint) {
        switch remote.address {
        case .v4(let bits):
            set(slot, UNDERPASS_FEED_REMOTE_FAMILY, 4)
            set(slot, UNDERPASS_FEED_REMOTE_HIGH, 0)
            set(slot, UNDERPASS_FEED_REMOTE_LOW, Int64(bits))
        case .v6(let high, let low):
            set(slot, UNDERPASS_FEED_REMOTE_FAMILY, 6)
            set(slot, UNDERPASS_FEED_REMOTE_HIGH, Int64(bitPattern: high))
            set(slot, UNDERPASS_FEED_REMOTE_LOW, Int64(bitPattern: low))
        }
        set(slot, UNDERPASS_FEED_REMOTE_PORT, Int64(remote.port))
        set(slot, UNDERPASS_FEED_REMOTE_SCOPE, Int64(remote.scope))
        set(slot, UNDERPASS_FEED_LOCAL_FAMILY, 0)
    }

    private func room(_ slot: Int) -> UnsafeMutableRawBufferPointer? {
        guard (0..<slots).contains(slot) else { return nil }
        return UnsafeMutableRawBufferPointer(rebasing: slab[slot * stride..<(slot + 1) * stride])
    }

    private func fact(_ slot: Int, _ which: Int32) -> Int64 {
        (0..<slots).contains(slot) ? facts[slot * Int(UNDERPASS_FEED_LONGS) + Int(which)] : 0
    }

    private func set(_ slot: Int, _ which: Int32, _ value: Int64) {
        guard (0..<slots).contains(slot) else { return }
        facts[slot * Int(UNDERPASS_FEED_LONGS) + Int(which)] = value
    }

    private func checked(_ answer: Int32) throws(TunnelError) -> Int {
        guard answer >= 0 else { throw TunnelError(code: answer) }
        return Int(answer)
    }
}
