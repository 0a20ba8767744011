import Foundation
import Testing
import Underpass
import UnderpassBindings

@Suite struct EngineTests {
    @Test(arguments: [false, true]) func packetsGoBothWays(v6: Bool) async throws {
        let scene = try Scene(v6: v6)
        try scene.connect()
        let up = (0..<64).map { packet(from: 2, to: 1, length: 60 + $0 * 20, mark: $0) }
        let down = (0..<64).map { packet(from: 1, to: 2, length: 60 + $0 * 20, mark: $0) }
        scene.gateway.packets = []
        let datagrams = try scene.phone.send(up)
        #expect(datagrams.count == 64)
        #expect(scene.phone.feed.remote(0) == scene.gateway.at)
        _ = try scene.gateway.receive(datagrams, from: scene.phone.at)
        #expect(scene.gateway.packets == up)
        _ = try scene.phone.receive(try scene.gateway.send(down), from: scene.gateway.at)
        #expect(scene.phone.packets == down)
        #expect(try scene.phone.feed.pollTimeout() != nil)
        let statistics = try await scene.phone.engine.statistics()
        #expect(statistics.rxPackets == 64)
        #expect(statistics.handshakes == 1)
        await scene.close()
    }

    @Test func aConfigurationAppliesToARunningTunnel() async throws {
        let scene = try Scene()
        try scene.connect()
        var configuration = try TunnelConfiguration(wgQuick: text)
        let before = try await scene.phone.engine.peers()
        #expect(before.map(\.health) == [.up])
        let mine = try #require(before.first)
        configuration.privateKey = nil
        configuration.peers = [.init(publicKey: mine.publicKey, allowedIPs: [IPNetwork(address: "10.9.0.0", prefix: 16)])]
        configuration.peers.append(.init(publicKey: try PrivateKey.generate().publicKey()))
        // Without our key no session can be, so it is set again.
        try await scene.phone.engine.update(configuration)
        let after = try await scene.phone.engine.peers()
        #expect(after.count == 2)
        #expect(after.first { $0.publicKey == mine.publicKey }?.allowedIps == [IPNetwork(address: "10.9.0.0", prefix: 16)])
        configuration.mtu = 1
        await #expect(throws: ConfigurationError.self) { try await scene.phone.engine.update(configuration) }
        #expect(try await scene.phone.engine.peers().count == 2, "a refusal changes nothing")
        await scene.close()
    }

    @Test func aClosedTunnelSaysSo() async throws {
        let scene = try Scene()
        await scene.phone.engine.close()
        await scene.phone.engine.close()
        let refusal = await refusal { _ = try await scene.phone.engine.peers() }
        #expect(refusal?.kind == .closed)
        #expect(refusal?.code == -1)
        #expect(throws: TunnelError.self) { _ = try scene.phone.feed.pollTimeout() }
        #expect(throws: TunnelError.self) { _ = try scene.phone.engine.feed() }
        await scene.close()
    }

    @Test func timestampsOutliveTheTunnel() async throws {
        let scene = try Scene()
        try scene.connect()
        let floors = try await scene.phone.engine.savedFloors()
        #expect(floors.count >= 13)
        var options = TunnelEngine.Options()
        options.clock = .manual(nowNanos: second, wallNanos: 0)
        options.savedFloors = floors
        let next = try TunnelEngine(try TunnelConfiguration(wgQuick: text), options: options)
        #expect(try await next.savedFloors().prefix(13) == floors.prefix(13), "a clock set back does not lower the floor")
        options.savedFloors = Data([9, 9])
        #expect(throws: TunnelError.self) { _ = try TunnelEngine(try TunnelConfiguration(wgQuick: text), options: options) }
        await next.close()
        await scene.close()
    }

    @Test func aChangeOfNetworkMakesItselfHeard() async throws {
        let scene = try Scene()
        // A stream has what happens from now on.
        var events = scene.gateway.engine.events.makeAsyncIterator()
        try scene.connect()
        scene.clock.advance(nanos: 30 * second)
        func moved() async -> SocketAddress? {
            while let event = await events.next() {
                if case .endpointMoved(_, _, let path) = event { return path.remote }
            }
            return nil
        }
        #expect(await moved() == SocketAddress(address: "192.0.2.7", port: 1000))
        let woken = Counter()
        scene.phone.engine.onWork { woken.add() }
        try await scene.phone.engine.networkChanged()
        #expect(woken.count == 1)
        let said = try scene.phone.transmits()
        #expect(said.count == 1, "the peer hears from us")
        scene.phone.engine.onWork(nil)
        _ = try scene.gateway.receive(said, from: RawEndpoint(.v4(0xc633_6409), port: 2000))
        #expect(await moved() == SocketAddress(address: "198.51.100.9", port: 2000))
        await scene.close()
        #expect(woken.count == 1)
    }
}

final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var number = 0
    var count: Int { lock.withLock { number } }
    func add() { lock.withLock { number += 1 } }
}
