import Foundation
import Network
import Testing
import Underpass

@testable import UnderpassPacketTunnel

@Suite struct NetworkTests {
    @Test func anotherInterfaceTakesNewSocketsAndTheSessionGoesOn() async throws {
        let stage = try Stage()
        let provider = stage.provider
        #expect(await provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        let handshakes = try await stage.gateway.statistics().handshakes
        let before = try #require(try await stage.phonePort())
        provider.paths.tell(path(nil))
        provider.paths.tell(path(satisfied: false))
        #expect(try await eventually { provider.reasserting })
        // A dead spot, and out of it by another interface. The old sockets have their port until then, so that of the new is another.
        provider.paths.tell(path())
        #expect(try await eventually { !provider.reasserting })
        #expect(try await eventually { try await stage.phonePort() != before })
        #expect(try await stage.roundTrip(2))
        #expect(try await stage.gateway.statistics().handshakes == handshakes)
        #expect(provider.settings.now.count == 1, "a path is no reason to tell the system anything")
        #expect(!provider.onMain.now.isEmpty && provider.onMain.now.allSatisfy { $0 })
        await stage.close()
    }

    @Test func anInterfaceThatIsGoneLeavesTheOldSockets() async throws {
        let stage = try Stage()
        #expect(await stage.provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        stage.provider.paths.tell(path())
        stage.provider.paths.tell(path(BoundInterface(name: "nosuch0", index: 4_000_000)))
        #expect(try await stage.roundTrip(2))
        await stage.close()
    }

    @Test func onANetworkOfIPv6OnlyAnIPv4LiteralIsReachedByTheResolversAddress() async throws {
        let stage = try Stage()
        let provider = stage.provider
        #expect(await provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        #expect(provider.resolver.asked.now.isEmpty, "an address is not asked for")
        #expect(try await stage.phoneAddress() == "127.0.0.1")
        let port = stage.port
        provider.resolver.answer.change { $0 = RawEndpoint(.v6(0, 1), port: port) }
        provider.paths.tell(path(v4: false))
        #expect(try await eventually { try await stage.phoneAddress() == "::1" })
        #expect(provider.resolver.asked.now.contains("127.0.0.1"))
        #expect(try await stage.roundTrip(2))
        provider.paths.tell(path())
        #expect(try await eventually { try await stage.phoneAddress() == "127.0.0.1" })
        #expect(try await stage.roundTrip(3))
        await stage.close()
    }

    @Test func lesson35NamesAreResolvedBeforeTheStartAndAgain() async throws {
        let stage = try Stage(endpoint: "gateway.example")
        let provider = stage.provider
        let port = stage.port
        // Nobody knows the name yet, and the tunnel comes up all the same.
        #expect(await provider.start() == nil)
        #expect(provider.resolver.asked.now.first == "gateway.example")
        provider.resolver.answer.change { $0 = RawEndpoint(.v4(0x7f00_0001), port: port) }
        provider.paths.tell(path())
        provider.paths.tell(path(v6: false))
        #expect(try await stage.roundTrip(1))
        #expect(provider.resolver.asked.now.count > 1)
        await stage.close()
    }

    @Test func theSystemsResolverKnowsNumbers() async {
        let resolver = SystemResolver()
        #expect(await resolver.resolve("127.0.0.1", port: 7, preferIPv6: true) == RawEndpoint(.v4(0x7f00_0001), port: 7))
        #expect(await resolver.resolve("::1", port: 7, preferIPv6: false) == RawEndpoint(.v6(0, 1), port: 7))
        #expect(await resolver.resolve("no such name", port: 7, preferIPv6: false) == nil)
    }

    /// The system tells of the path again when the tunnel's own interface comes: that is no change.
    @Test func pathsAreComparedByContent() {
        let wifi = NWInterface(name: "en0", index: 4, type: .wifi)
        let tunnel = NWInterface(name: "utun4", index: 20, type: .other)
        let plain = NWPath(status: .satisfied, availableInterfaces: [wifi], supportsIPv4: true, supportsIPv6: false)
        let ours = NWPath(status: .satisfied, availableInterfaces: [tunnel, wifi], supportsIPv4: true, supportsIPv6: false)
        #expect(NetworkPath(plain) == NetworkPath(ours))
        #expect(NetworkPath(plain).interface == BoundInterface(name: "en0", index: 4))
        let mobile = NWInterface(name: "pdp_ip0", index: 5, type: .cellular)
        let other = NWPath(status: .satisfied, availableInterfaces: [mobile], supportsIPv4: false, supportsIPv6: true)
        #expect(NetworkPath(plain) != NetworkPath(other))
        #expect(NetworkPath(other).isIPv6Only && !NetworkPath(plain).isIPv6Only)
    }

    @Test func addressesComeThroughTheSystemsForm() throws {
        for (endpoint, text) in [
            (RawEndpoint(.v4(0xc000_0201), port: 51820), "192.0.2.1"),
            (RawEndpoint(.v6(0x2001_0db8_0000_0000, 7), port: 1), "2001:db8::7"),
            (RawEndpoint(.v6(0xfe80 << 48, 9), port: 65535, scope: 3), "fe80::9"),
        ] {
            var storage = sockaddr_storage()
            endpoint.withSystem { address, length in
                withUnsafeMutableBytes(of: &storage) {
                    $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
                }
            }
            #expect(RawEndpoint(storage) == endpoint)
            #expect(endpoint.socketAddress == SocketAddress(address: text, port: endpoint.port, scopeId: endpoint.scope))
        }
    }

    @Test func aWayThatIsNotThereIsCounted() async throws {
        let socket = try UDPSocket(v4: true, port: 0, interface: nil)
        let bytes: [UInt8] = [1]
        let failure = bytes.withUnsafeBytes { socket.send($0, to: RawEndpoint(.v4(0xc000_0201), port: 1)) }
        #expect(failure == .unreachable)
        #expect(SendError(number: ENOBUFS) == nil && SendError(number: EMSGSIZE) == .tooBig)
        #expect(throws: SystemError.self) { _ = try UDPSocket(v4: true, port: socket.port, interface: nil) }
    }
}
