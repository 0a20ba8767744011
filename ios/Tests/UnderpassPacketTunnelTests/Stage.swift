// A provider with a flow of the test, and a gateway that it talks to over real sockets of the loopback.
import Foundation
import NetworkExtension
import Testing
import Underpass

@testable import UnderpassPacketTunnel

/// A value that several threads use.
final class Shared<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value
    init(_ value: Value) { self.value = value }
    var now: Value { lock.withLock { value } }
    @discardableResult func change<R>(_ body: (inout Value) -> R) -> R { lock.withLock { body(&value) } }
}

/// Calls `body` until it is true. There is a bound, which only a failure meets.
func eventually(_ body: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<6_000 {
        if try await body() { return true }
        try await Task.sleep(nanoseconds: 10_000_000)
    }
    return false
}

/// A packet of IPv4 that carries nothing known.
func packet(from: UInt8, to: UInt8, length: Int, mark: Int = 0) -> Data {
    var bytes = Data((0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + mark) })
    let head: [UInt8] = [
        0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, from, 10, 0, 0, to,
    ]
    bytes.replaceSubrange(0..<20, with: head)
    return bytes
}

final class FakeFlow: NEPacketTunnelFlow, @unchecked Sendable {
    private typealias Reader = @Sendable ([Data], [NSNumber]) -> Void
    private let reader = Shared<(waits: Reader?, inbox: [[Data]])>((nil, []))
    let written = Shared<[Data]>([])
    let families = Shared<Set<Int>>([])

    override func readPackets(completionHandler: @escaping @Sendable ([Data], [NSNumber]) -> Void) {
        reader.change { $0.waits = completionHandler }
        hand()
    }

    override func writePackets(_ packets: [Data], withProtocols protocols: [NSNumber]) -> Bool {
        families.change { $0.formUnion(protocols.map(\.intValue)) }
        written.change { $0 += packets }
        return true
    }

    func send(_ packets: [Data]) {
        reader.change { $0.inbox.append(packets) }
        hand()
    }

    private func hand() {
        let next = reader.change { reader -> (Reader, [Data])? in
            guard let waits = reader.waits, !reader.inbox.isEmpty else { return nil }
            reader.waits = nil
            return (waits, reader.inbox.removeFirst())
        }
        if let (read, packets) = next { read(packets, packets.map { _ in 2 }) }
    }
}

final class FakePaths: PathWatch, @unchecked Sendable {
    private let told = Shared<(@Sendable (NetworkPath) -> Void)?>(nil)
    func start(_ tell: @escaping @Sendable (NetworkPath) -> Void) { told.change { $0 = tell } }
    func stop() { told.change { $0 = nil } }
    func tell(_ path: NetworkPath) { told.now?(path) }
}

final class FakeMemory: MemoryWatch, @unchecked Sendable {
    private let told = Shared<(@Sendable (Bool) -> Void)?>(nil)
    func start(_ tell: @escaping @Sendable (Bool) -> Void) { told.change { $0 = tell } }
    func stop() { told.change { $0 = nil } }
    func tell(_ isScarce: Bool) { told.now?(isScarce) }
}

final class FakeResolver: EndpointResolver {
    let asked = Shared<[String]>([])
    let answer = Shared<RawEndpoint?>(nil)
    func resolve(_ host: String, port: UInt16, preferIPv6: Bool) async -> RawEndpoint? {
        asked.change { $0.append(host) }
        return answer.now
    }
}

nonisolated(unsafe) private let mainMark: DispatchSpecificKey<Bool> = {
    let key = DispatchSpecificKey<Bool>()
    DispatchQueue.main.setSpecific(key: key, value: true)
    return key
}()

private func isOnMainQueue() -> Bool { DispatchQueue.getSpecific(key: mainMark) == true }

/// What the system does with settings.
enum Answer: Sendable { case takes, refuses, isSilent }

struct Refusal: Error {}

final class Provider: PacketTunnelProvider, @unchecked Sendable {
    let flow = FakeFlow()
    let paths = FakePaths()
    let memory = FakeMemory()
    let resolver = FakeResolver()
    let clock = Shared<TunnelClock?>(nil)
    let floors = Shared<Data?>(nil)
    let answer = Shared(Answer.takes)
    let settings = Shared<[(mtu: Int, addresses: [String])]>([])
    /// Whether each call came by the main queue, which on Linux has no thread of its own.
    let onMain = Shared<[Bool]>([])
    let cancelled = Shared(0)

    init(text: String) {
        super.init()
        packetFlow = flow
        let settings = NETunnelProviderProtocol()
        settings.providerConfiguration = [ConfigurationStore.textKey: text]
        protocolConfiguration = settings
    }

    override func parts() -> SessionParts {
        let flow = flow
        let floors = floors
        return SessionParts(
            driver: { _ in PacketFlowDriver(flow) }, resolver: resolver, paths: paths, memory: memory, clock: clock.now,
            loadFloors: { floors.now }, saveFloors: { saved in floors.change { $0 = saved } }, settingsTimeout: 0.05)
    }

    override func setTunnelNetworkSettings(
        _ given: NETunnelNetworkSettings?, completionHandler: (@Sendable ((any Error)?) -> Void)? = nil
    ) {
        let given = given as? NEPacketTunnelNetworkSettings
        settings.change { $0.append((given?.mtu?.intValue ?? 0, given?.ipv4Settings?.addresses ?? [])) }
        switch answer.now {
        case .takes: completionHandler?(nil)
        case .refuses: completionHandler?(Refusal())
        case .isSilent: break
        }
    }

    override var reasserting: Bool {
        get { super.reasserting }
        set {
            onMain.change { $0.append(isOnMainQueue()) }
            super.reasserting = newValue
        }
    }

    override func cancelTunnelWithError(_ error: (any Error)?) {
        onMain.change { $0.append(isOnMainQueue()) }
        cancelled.change { $0 += 1 }
    }

    func start() async -> (any Error)? {
        await withCheckedContinuation { done in startTunnel(options: nil) { done.resume(returning: $0) } }
    }

    func stop() async {
        await withCheckedContinuation { done in stopTunnel(with: .userInitiated) { done.resume() } }
    }

    func say(_ message: Data) async -> Data? {
        await withCheckedContinuation { done in handleAppMessage(message) { done.resume(returning: $0) } }
    }

    func ask(_ message: AppMessage) async throws -> AppReply {
        try AppReply(try #require(await say(try message.encoded())))
    }

    func status() async throws -> AppReply.Status {
        guard case .status(let status) = try await ask(.status) else { throw Refusal() }
        return status
    }
}

/// A virtual interface of the gateway that sends each packet back where it came from, and keeps it.
final class Echo: PacketDriver, @unchecked Sendable {
    let packets = Shared<[Data]>([])
    private let back = Shared<(DispatchQueue, @Sendable ([Data]) -> Void)?>(nil)

    func start(on queue: DispatchQueue, _ take: @escaping @Sendable ([Data]) -> Void) { back.change { $0 = (queue, take) } }

    func write(_ packets: [Data]) {
        self.packets.change { $0 += packets }
        let answers = packets.map { packet in
            var answer = packet
            answer.replaceSubrange(12..<20, with: packet[16..<20] + packet[12..<16])
            return answer
        }
        if let (queue, take) = back.now { queue.async { take(answers) } }
    }

    func stop() { back.change { $0 = nil } }
}

final class Stage: Sendable {
    let provider: Provider
    let echo = Echo()
    let gateway: TunnelEngine
    private let loop: PacketLoop
    let port: UInt16
    let phoneKey: PublicKey

    init(endpoint: String = "127.0.0.1", listens: Bool = true, clock: TunnelClock? = nil) throws {
        let (one, two) = (try PrivateKey.generate(), try PrivateKey.generate())
        phoneKey = one.publicKey()
        let peer = TunnelConfiguration.Peer(
            publicKey: one.publicKey(), allowedIPs: [IPNetwork(address: "10.0.0.2", prefix: 32)])
        var options = TunnelEngine.Options()
        options.clock = clock
        gateway = try TunnelEngine(TunnelConfiguration(privateKey: two, peers: [peer]), options: options)
        loop = PacketLoop(gateway, driver: echo)
        try loop.start(port: 0, interface: nil)
        port = loop.port
        let text = """
            [Interface]
            PrivateKey = \(one.toBase64())
            Address = 10.0.0.2/32
            DNS = 10.0.0.1
            [Peer]
            PublicKey = \(two.publicKey().toBase64())
            AllowedIPs = 10.0.0.0/24
            Endpoint = \(endpoint):\(listens ? port : 9)
            """
        provider = Provider(text: text)
        provider.clock.change { $0 = clock }
    }

    /// What the provider's packets came back as.
    func roundTrip(_ mark: Int) async throws -> Bool {
        let wanted = packet(from: 1, to: 2, length: 200, mark: mark)
        let tries = Shared(0)
        return try await eventually {
            // What is under way while sockets change is lost, as anywhere.
            if tries.change({ tries in tries += 1; return tries % 50 == 1 }) {
                self.provider.flow.send([packet(from: 2, to: 1, length: 200, mark: mark)])
            }
            return self.provider.flow.written.now.contains(wanted)
        }
    }

    /// Where the gateway hears the phone.
    func phonePort() async throws -> UInt16? { try await gateway.peers().first?.path?.remote.port }
    func phoneAddress() async throws -> String? { try await gateway.peers().first?.path?.remote.address }

    func close() async {
        await provider.stop()
        loop.stop()
        await gateway.close()
    }
}

let loopback = BoundInterface(name: "lo", index: 1)
func path(_ interface: BoundInterface? = loopback, satisfied: Bool = true, v4: Bool = true, v6: Bool = true) -> NetworkPath {
    NetworkPath(isSatisfied: satisfied, interface: interface, hasIPv4: v4, hasIPv6: v6)
}
