import Testing
import Underpass
import UnderpassBindings

@Suite struct StreamTests {
    @Test func healthComesFromAuthenticatedTraffic() async throws {
        let scene = try Scene()
        var statuses = scene.phone.engine.statuses.makeAsyncIterator()
        #expect(await statuses.next() == .connecting)
        try scene.connect()
        #expect(await statuses.next() == .up)
        // Nothing that is sent is answered.
        scene.isCut = true
        _ = try scene.phone.send([packet(from: 2, to: 1, length: 100)])
        scene.clock.advance(nanos: 16 * second)
        try scene.phone.feed.handleTimeout()
        #expect(await statuses.next() == .stale)
        await scene.close()
        #expect(await statuses.next() == .closed)
        #expect(await statuses.next() == nil)
        var late = scene.phone.engine.statuses.makeAsyncIterator()
        #expect(await late.next() == .closed)
        #expect(await late.next() == nil)
    }

    /// It is shown as connected.
    @Test func anIdleTunnelHasNotFailed() async throws {
        let scene = try Scene()
        try scene.connect()
        // Both are quiet until the session ends for its age. What falls due on the way is done.
        for _ in 0..<40 {
            scene.clock.advance(nanos: 5 * second)
            try scene.phone.feed.handleTimeout()
            try scene.gateway.feed.handleTimeout()
            try scene.settle()
        }
        var statuses = scene.phone.engine.statuses.makeAsyncIterator()
        var last: TunnelStatus?
        while last != .idle, let next = await statuses.next() { last = next }
        #expect(last == .idle)
        #expect(TunnelStatus.idle.isConnected && TunnelStatus.up.isConnected)
        #expect(!TunnelStatus.stale.isConnected && !TunnelStatus.connecting.isConnected)
        await scene.close()
    }

    @Test func everyStreamHasEveryEvent() async throws {
        let scene = try Scene()
        let (one, two) = (scene.phone.engine.events, scene.phone.engine.events)
        try scene.connect()
        for stream in [one, two] {
            var established = false
            for await event in stream {
                if case .sessionEstablished = event { established = true }
                if case .healthChanged(_, _, let health) = event, health == .up { break }
            }
            #expect(established)
        }
        await scene.close()
        var rest = one.makeAsyncIterator()
        while await rest.next() != nil {}
    }

    @Test func theFirstStreamHasWhatCameBeforeIt() async throws {
        let scene = try Scene()
        try scene.connect()
        // The events were handed on: the status follows from them.
        var statuses = scene.phone.engine.statuses.makeAsyncIterator()
        while let status = await statuses.next(), status != .up {}
        let (first, second) = (scene.phone.engine.events, scene.phone.engine.events)
        await scene.close()
        func hasASession(_ stream: AsyncStream<TunnelEvent>) async -> Bool {
            for await event in stream { if case .sessionEstablished = event { return true } }
            return false
        }
        #expect(await hasASession(first))
        #expect(await !hasASession(second))
    }

    @Test func aClockThatLeapsIsTold() async throws {
        let scene = try Scene()
        var events = scene.phone.engine.events.makeAsyncIterator()
        scene.clock.advance(nanos: 3 * 86_400 * second)
        try await scene.phone.engine.networkChanged()
        var told = false
        while !told, let event = await events.next() { told = event == .clockLeapt }
        #expect(told)
        await scene.close()
    }

    @Test func aNameIsAskedFor() async throws {
        let engine = try TunnelEngine(try TunnelConfiguration(wgQuick: text))
        var events = engine.events.makeAsyncIterator()
        let peer = try #require(try await engine.peers().first).peer
        try await engine.connect(peer)
        let event = try #require(await events.next())
        guard case .resolveEndpoint(let asked, _) = event else {
            Issue.record("\(event)")
            return
        }
        #expect(asked == peer)
        try await engine.setEndpoint(peer, SocketAddress(address: "192.0.2.9", port: 51820))
        #expect(try await engine.peers().first?.path?.remote.address == "192.0.2.9")
        await engine.close()
    }
}
