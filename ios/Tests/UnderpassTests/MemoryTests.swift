import Foundation
import Testing
import Underpass
import UnderpassBindings
import UnderpassFFI

/// Kilobytes of this process that lie in memory.
private func resident() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    let pages = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    return pages * 4
}

@Suite struct MemoryTests {
    @Test func tenThousandTunnelsLeaveNothingBehind() async throws {
        let configuration = try TunnelConfiguration(wgQuick: text)
        func round(_ times: Int) async throws {
            for _ in 0..<times {
                let engine = try TunnelEngine(configuration)
                let feed = try engine.feed(slots: 2)
                #expect(try feed.pollTransmits() == 0)
                await engine.close()
            }
        }
        let (tunnels, feeds) = (liveTunnels(), underpass_feed_live())
        try await round(1_000)
        let before = try resident()
        try await round(10_000)
        #expect(liveTunnels() == tunnels)
        #expect(underpass_feed_live() == feeds)
        let growth = try resident() - before
        #expect(growth < 8 << 10, "\(growth) KiB")
    }

    @Test func enginesThatAreLetGoEndByThemselves() async throws {
        let tunnels = liveTunnels()
        for _ in 0..<100 { _ = try TunnelEngine(try TunnelConfiguration(wgQuick: text)) }
        #expect(try await eventually { liveTunnels() == tunnels })
    }

    @Test func anEngineAtRestTakesLessThanTwoMegabytes() async throws {
        let configuration = try TunnelConfiguration(wgQuick: text)
        var kept: [(TunnelEngine, PacketFeed)] = []
        let before = try resident()
        for _ in 0..<50 {
            let engine = try TunnelEngine(configuration)
            kept.append((engine, try engine.feed()))
        }
        let each = (try resident() - before) / 50
        #expect(each < 2 << 10, "\(each) KiB")
        for (engine, _) in kept { await engine.close() }
    }

    @Test func lesson22AFullUploadWithoutASessionStaysUnderTheCaps() async throws {
        let scene = try Scene()
        scene.isCut = true
        let batch = (0..<64).map { packet(from: 2, to: 1, length: 1400, mark: $0) }
        let before = try resident()
        for _ in 0..<2_000 {
            #expect(try scene.phone.send(batch).isEmpty)
            _ = try scene.phone.transmits()
        }
        let held = try await scene.phone.engine.statistics()
        #expect(held.stagedBytes <= UInt64(MemoryBudget.packetTunnel.stagedBytes))
        #expect(held.stagedPackets > 10)
        #expect(held.drops > 100_000)
        let growth = try resident() - before
        #expect(growth < 8 << 10, "\(growth) KiB")
        // The system is short of memory: what waits goes, until there is enough again.
        try await scene.phone.engine.setMemoryIsScarce(true)
        #expect(try await scene.phone.engine.statistics().stagedBytes <= UInt64(MemoryBudget.scarce.stagedBytes))
        try await scene.phone.engine.setMemoryIsScarce(false)
        _ = try scene.phone.send(batch)
        #expect(try await scene.phone.engine.statistics().stagedBytes > UInt64(MemoryBudget.scarce.stagedBytes))
        await scene.close()
    }

    @Test func aFullUploadWithASessionTakesNoMore() async throws {
        let scene = try Scene()
        try scene.connect()
        let batch = (0..<64).map { packet(from: 2, to: 1, length: 1400, mark: $0) }
        let before = try resident()
        for _ in 0..<500 {
            let datagrams = try scene.phone.send(batch)
            #expect(datagrams.count == 64)
        }
        let growth = try resident() - before
        #expect(growth < 8 << 10, "\(growth) KiB")
        await scene.close()
    }
}
