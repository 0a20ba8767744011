// Two engines and the wire between them, in a time that stands still until it is moved.
import Foundation
import Testing
import Underpass
import UnderpassBindings

let second: UInt64 = 1_000_000_000
/// 2026-01-01 in nanoseconds since 1970.
let wall: UInt64 = 1_767_225_600 * second

let secret = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
let peerKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
/// A configuration as a provider hands it out.
let text = """
    [Interface]
    PrivateKey = \(secret)
    Address = 10.0.0.2/24, fd00::2/64
    DNS = 10.0.0.1, corp.example
    MTU = 1380

    [Peer]
    PublicKey = \(peerKey)
    AllowedIPs = 0.0.0.0/0, ::/0
    Endpoint = vpn.example:51820
    PersistentKeepalive = 25
    """

/// A packet of IPv4 that carries nothing known.
func packet(from: UInt8, to: UInt8, length: Int, mark: Int = 0) -> [UInt8] {
    var bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + mark) }
    let head: [UInt8] = [
        0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, from, 10, 0, 0, to,
    ]
    bytes.replaceSubrange(0..<20, with: head)
    return bytes
}

func text(of feed: PacketFeed, _ slot: Int) -> [UInt8] { feed.withBytes(slot) { Array($0) } }

/// One end.
final class Side {
    let engine: TunnelEngine
    let feed: PacketFeed
    let at: RawEndpoint
    /// Packets that arrived.
    var packets: [[UInt8]] = []

    init(_ engine: TunnelEngine, at: RawEndpoint) throws {
        self.engine = engine
        self.feed = try engine.feed()
        self.at = at
    }

    func put(_ packets: [[UInt8]]) throws {
        let (headroom, tailroom) = (try feed.headroom(), try feed.tailroom())
        for (slot, packet) in packets.enumerated() {
            let fits = packet.withUnsafeBytes { feed.load(slot, $0, headroom: headroom, tailroom: tailroom) }
            #expect(fits)
        }
    }

    /// What the packets became that are to be sent.
    func send(_ packets: [[UInt8]]) throws -> [[UInt8]] {
        try put(packets)
        try feed.handlePackets(packets.count)
        return (0..<packets.count).filter { feed.verdict($0) == .send }.map { text(of: feed, $0) }
    }

    func transmits() throws -> [[UInt8]] { (0..<(try feed.pollTransmits())).map { text(of: feed, $0) } }

    /// Takes datagrams in. The answer is what is to be sent back at once.
    func receive(_ datagrams: [[UInt8]], from: RawEndpoint) throws -> [[UInt8]] {
        for (slot, datagram) in datagrams.enumerated() {
            #expect(datagram.withUnsafeBytes { feed.load(slot, $0) })
            feed.setRemote(slot, from)
        }
        try feed.handleDatagrams(datagrams.count)
        let slots = 0..<datagrams.count
        packets += slots.filter { feed.verdict($0) == .deliver }.map { text(of: feed, $0) }
        return slots.filter { feed.verdict($0) == .reply }.map { text(of: feed, $0) }
    }
}

/// A phone that knows the gateway's address, and a gateway that does not know the phone's.
final class Scene {
    let clock = TunnelClock.manual(nowNanos: 5 * second, wallNanos: wall)
    let phone: Side
    let gateway: Side
    /// Nothing passes.
    var isCut = false

    init(v6: Bool = false, savedFloors: Data? = nil) throws {
        let (one, two) = (try PrivateKey.generate(), try PrivateKey.generate())
        var options = TunnelEngine.Options()
        options.clock = clock
        func made(_ key: PrivateKey, _ other: PrivateKey, host: UInt8, endpoint: String?) throws -> TunnelEngine {
            let peer = TunnelConfiguration.Peer(
                publicKey: other.publicKey(), allowedIPs: [Network(address: "10.0.0.\(host)", prefix: 32)],
                endpoint: endpoint.map { .address(address: SocketAddress(address: $0, port: 51820)) })
            return try TunnelEngine(TunnelConfiguration(privateKey: key, peers: [peer]), options: options)
        }
        let address = v6 ? "2001:db8::1" : "192.0.2.1"
        let gatewayAt = RawEndpoint(v6 ? .v6(0x2001_0db8_0000_0000, 1) : .v4(0xc000_0201), port: 51820)
        let phoneAt = RawEndpoint(v6 ? .v6(0x2001_0db8_0000_0000, 7) : .v4(0xc000_0207), port: 1000)
        phone = try Side(made(one, two, host: 1, endpoint: address), at: phoneAt)
        gateway = try Side(made(two, one, host: 2, endpoint: nil), at: gatewayAt)
    }

    /// Everything that is to be said is said, and arrives.
    func settle(_ first: [[UInt8]] = []) throws {
        var toGateway = first
        var toPhone: [[UInt8]] = []
        repeat {
            toGateway += try phone.transmits()
            toPhone += try gateway.transmits()
            let (here, there) = (toPhone, toGateway)
            (toGateway, toPhone) = ([], [])
            if isCut { break }
            toPhone += try gateway.receive(there, from: phone.at)
            toGateway += try phone.receive(here, from: gateway.at)
            toGateway += try phone.transmits()
            toPhone += try gateway.transmits()
        } while !toGateway.isEmpty || !toPhone.isEmpty
    }

    /// Both have a session.
    func connect() throws {
        try settle(try phone.send([packet(from: 2, to: 1, length: 100)]))
        #expect(gateway.packets.count == 1)
    }

    func close() async {
        await phone.engine.close()
        await gateway.engine.close()
    }
}

/// Calls `body` until it is true. There is a bound, which only a failure meets.
func eventually(_ body: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<12_000 {
        if try await body() { return true }
        try await Task.sleep(nanoseconds: 10_000_000)
    }
    return false
}

/// What a call of an engine is refused with.
func refusal(_ body: () async throws -> Void) async -> Underpass.TunnelError? {
    do { try await body() } catch { return error as? Underpass.TunnelError }
    return nil
}
