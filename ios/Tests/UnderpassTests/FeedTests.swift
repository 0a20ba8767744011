import Testing
import Underpass
import UnderpassBindings
import UnderpassFFI

@Suite struct FeedTests {
    @Test func lesson26NothingReachesMemoryUnchecked() async throws {
        let scene = try Scene()
        let feed = scene.phone.feed
        for (start, count) in [(-1, 10), (0, -1), (2048, 1), (0, 2049), (Int.max, Int.max), (Int.min, 1)] {
            feed.place(0, start: start, count: count)
            #expect(throws: TunnelError.self) { try feed.handlePackets(1) }
            #expect(throws: TunnelError.self) { try feed.handleDatagrams(1) }
            #expect(text(of: feed, 0).isEmpty)
        }
        feed.place(0, start: 0, count: 10)
        for count in [-1, 65, Int.max, Int.min] { #expect(throws: TunnelError.self) { try feed.handlePackets(count) } }
        // No remote is said.
        #expect(throws: TunnelError.self) { try feed.handleDatagrams(1) }
        feed.setRemote(0, scene.gateway.at)
        feed.setECN(0, 4)
        #expect(throws: TunnelError.self) { try feed.handleDatagrams(1) }
        for slot in [-1, 64, Int.max, Int.min] {
            feed.place(slot, start: 0, count: 1)
            #expect(feed.withBytes(slot) { $0.count } == 0)
            #expect(feed.remote(slot) == nil)
            #expect(feed.fill(slot) { _ in 1 } == nil)
        }
        #expect(feed.fill(0) { $0.count + 1 } == nil)
        #expect(feed.fill(0) { _ in -1 } == nil)
        let long = [UInt8](repeating: 0, count: 2048)
        #expect(long.withUnsafeBytes { feed.load(0, $0) })
        #expect(!long.withUnsafeBytes { feed.load(0, $0, headroom: 1) })
        #expect(!long.withUnsafeBytes { feed.load(64, $0) })
        for (slots, stride) in [(0, 1), (257, 1), (1, 0), (1, 131_073), (-1, -1), (Int.max, Int.max)] {
            #expect(throws: TunnelError.self) { _ = try scene.phone.engine.feed(slots: slots, stride: stride) }
        }
        let small = try scene.phone.engine.feed(slots: 4, stride: 64)
        do {
            _ = try small.pollTransmits()
            Issue.record("it has no room")
        } catch { #expect(error.kind == .buffer) }
        await scene.close()
    }

    @Test func whatIsDroppedSaysWhy() async throws {
        let scene = try Scene()
        let names = vocabulary().dropReasons.map(\.name)
        try scene.connect()
        let feed = scene.phone.feed
        #expect(packet(from: 2, to: 1, length: 100).withUnsafeBytes { feed.load(0, $0) })
        try feed.handlePackets(1)
        #expect(feed.verdict(0) == .dropped)
        #expect(names[feed.reason(0)] == "no_room")
        try scene.phone.put([packet(from: 2, to: 99, length: 100)])
        try feed.handlePackets(1)
        #expect(names[feed.reason(0)] == "no_route")
        _ = try scene.phone.send([packet(from: 2, to: 1, length: 100)])
        try feed.sendFailed(0, .unreachable)
        #expect(try await scene.phone.engine.statistics().sendErrors == 1)
        #expect(throws: TunnelError.self) { try feed.sendFailed(64, .denied) }
        #expect(try await scene.phone.engine.drops().contains { $0.name == "no_room" && $0.count == 1 })
        await scene.close()
    }

    @Test func addressesComeBackAsTheyWereSaid() async throws {
        let scene = try Scene()
        for remote in [
            RawEndpoint(.v4(0xffff_ffff), port: 65535), RawEndpoint(.v4(0), port: 0),
            RawEndpoint(.v6(UInt64.max, UInt64.max), port: 9, scope: UInt32.max), RawEndpoint(.v6(0xfe80 << 48, 1), port: 1),
        ] {
            scene.phone.feed.setRemote(1, remote)
            #expect(scene.phone.feed.remote(1) == remote)
        }
        await scene.close()
    }
}
