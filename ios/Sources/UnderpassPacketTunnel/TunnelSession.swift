// One life of a tunnel in the extension.
import Foundation
import Underpass

/// What the session asks of the system's provider.
protocol SessionHost: AnyObject, Sendable {
    /// The system does not always call back.
    func apply(_ settings: NetworkSettings, _ done: @escaping @Sendable ((any Error)?) -> Void)
    func setReasserting(_ isReasserting: Bool)
    func cancel(_ error: any Error)
    func note(_ text: String)
}

/// What the session is made with. Tests have their own.
struct SessionParts: Sendable {
    /// Made when the settings are there: the addresses of the virtual interface are given.
    var driver: @Sendable (_ addresses: [String]) -> any PacketDriver
    var resolver: any EndpointResolver = SystemResolver()
    var paths: any PathWatch
    var memory: any MemoryWatch = SystemMemoryWatch()
    var clock: TunnelClock?
    var loadFloors: @Sendable () -> Data? = { nil }
    var saveFloors: @Sendable (Data) -> Void = { _ in }
    /// When the system is not waited for any longer.
    var settingsTimeout: TimeInterval = 5
}

actor TunnelSession {
    private let parts: SessionParts
    private weak var host: (any SessionHost)?
    private var configuration: TunnelConfiguration
    private let engine: TunnelEngine
    private var loop: PacketLoop?
    private var settings: NetworkSettings?
    private var tasks: [Task<Void, Never>] = []
    /// The latest path, and the latest by which there was a network.
    private var path: NetworkPath?
    private var network: NetworkPath?
    private var status = TunnelStatus.connecting
    private var isOver = false

    init(_ configuration: TunnelConfiguration, host: any SessionHost, parts: SessionParts) throws {
        self.configuration = configuration
        self.host = host
        self.parts = parts
        var options = TunnelEngine.Options()
        options.clock = parts.clock
        var configuration = configuration
        configuration.mtu = NetworkSettings(configuration).mtu
        options.savedFloors = parts.loadFloors()
        do {
            engine = try TunnelEngine(configuration, options: options)
        } catch where options.savedFloors != nil {
            // They are damaged: the tunnel's clock is the wall's again.
            options.savedFloors = nil
            engine = try TunnelEngine(configuration, options: options)
            host.note("the saved timestamps are damaged and were passed over")
        }
    }

    /// Brings the tunnel up. When this returns, packets move; that peers answer is said by the status.
    func start() async throws {
        let (events, statuses) = (engine.events, engine.statuses)
        follow(events) { await $0.handle($1) }
        follow(statuses) { await $0.take($1) }
        do {
            // While names are still asked for outside of any tunnel.
            for peer in configuration.peers { await resolve(peer) }
            try goOn()
            try await apply(NetworkSettings(configuration))
            try goOn()
            let loop = PacketLoop(engine, driver: parts.driver(settings?.addresses.map(\.address) ?? []))
            try loop.start(port: configuration.listenPort ?? 0, interface: path?.interface)
            self.loop = loop
            for peer in try await engine.peers() where peer.endpoint != nil { try await engine.connect(peer.peer) }
        } catch {
            await stop()
            throw error
        }
        let (paths, tell) = AsyncStream<NetworkPath>.makeStream()
        follow(paths) { await $0.take($1) }
        parts.paths.start { tell.yield($0) }
        parts.memory.start { [weak self] isScarce in
            Task { [weak self] in await self?.setMemoryIsScarce(isScarce) }
        }
    }

    private func goOn() throws {
        if isOver { throw TunnelError(.closed, "the tunnel was stopped") }
    }

    /// Ends all of it. Doing it again does nothing.
    func stop() async {
        guard !isOver else { return }
        isOver = true
        parts.paths.stop()
        parts.memory.stop()
        await saveFloors()
        loop?.stop()
        loop = nil
        for task in tasks { task.cancel() }
        await engine.close()
    }

    /// The device is about to sleep, from which it may not wake.
    func sleep() async { await saveFloors() }

    /// Timers stood still: what fell due meanwhile is done at once, and no more than that.
    func wake() async {
        try? await engine.wallClockChanged()
        loop?.kick()
    }

    /// Takes another configuration. The system is told only when its part changed.
    func update(_ next: TunnelConfiguration) async throws {
        var sound = next
        sound.mtu = NetworkSettings(next).mtu
        try await engine.update(sound)
        configuration = next
        try await apply(NetworkSettings(next))
        for peer in next.peers { await resolve(peer) }
        loop?.kick()
    }

    func answer(_ message: AppMessage) async -> AppReply {
        do {
            switch message {
            case .status: return .status(try await report())
            case .update(let text): try await update(TunnelConfiguration(wgQuick: text))
            }
            return .done
        } catch let error as ConfigurationError {
            return .refused(code: error.code, reason: error.description)
        } catch let error as TunnelError {
            return .refused(code: error.code, reason: error.message)
        } catch {
            return .refused(code: TunnelError.Kind.argument.rawValue, reason: "the system refused the settings")
        }
    }

    private func report() async throws -> AppReply.Status {
        let (statistics, peers) = (try await engine.statistics(), try await engine.peers())
        var drops = Dictionary(try await engine.drops().map { ($0.name, $0.count) }, uniquingKeysWith: +)
        drops["too_big", default: 0] += loop?.oversized ?? 0
        let word = "\(status)".prefix { $0 != "(" }
        return AppReply.Status(
            word: String(word), isConnected: status.isConnected, txBytes: statistics.txBytes, rxBytes: statistics.rxBytes,
            latestHandshake: peers.compactMap(\.latestHandshakeMillis).max(),
            drops: drops.filter { $0.value > 0 }, availableMemory: availableMemory())
    }

    /// Hands the elements of a stream to the session, one after the other, as long as it lives.
    private func follow<T: Sendable>(_ stream: AsyncStream<T>, _ body: @escaping @Sendable (TunnelSession, T) async -> Void) {
        tasks.append(
            Task { [weak self] in
                for await element in stream {
                    guard let self else { return }
                    await body(self, element)
                }
            })
    }

    private func apply(_ next: NetworkSettings) async throws {
        guard next != settings, let host else { return }
        let timeout = parts.settingsTimeout
        let refusal: (any Error)? = await withCheckedContinuation { done in
            let first = First()
            host.apply(next) { error in
                if first.isFirst() { done.resume(returning: error) }
            }
            DispatchQueue.global().asyncAfter(deadline: .now() + timeout) {
                // It has been seen to take the settings without a word.
                if first.isFirst() {
                    host.note("the system did not say that it took the settings")
                    done.resume(returning: nil)
                }
            }
        }
        if let refusal { throw refusal }
        settings = next
    }

    private func handle(_ event: TunnelEvent) async {
        switch event {
        case .resolveEndpoint(let number, _):
            guard let known = try? await engine.peers().first(where: { $0.peer == number }) else { return }
            if let peer = configuration.peers.first(where: { $0.publicKey == known.publicKey }) { await resolve(peer) }
        case .sessionEstablished: await saveFloors()
        case .layoutChanged: loop?.kick()
        default: break
        }
    }

    private func take(_ next: TunnelStatus) {
        status = next
        if case .broken(let error) = next { host?.cancel(error) }
    }

    private func take(_ next: NetworkPath) async {
        guard !isOver else { return }
        path = next
        host?.setReasserting(!next.isSatisfied)
        guard next.isSatisfied else { return }
        let before = network
        network = next
        do {
            if next.interface != before?.interface { try loop?.rebind(to: next.interface) }
        } catch {
            host?.note("no socket on the new interface: \(error)")
        }
        // The first path is what the tunnel came up with.
        guard before != nil || next.isIPv6Only else { return }
        for peer in configuration.peers { await resolve(peer) }
        try? await engine.networkChanged()
    }

    /// Finds out where a peer is reached by the present network.
    private func resolve(_ peer: TunnelConfiguration.Peer) async {
        let isIPv6Only = network?.isIPv6Only ?? false
        let found: SocketAddress?
        switch peer.endpoint {
        case .name(let host, let port):
            found = await parts.resolver.resolve(host, port: port, preferIPv6: isIPv6Only)?.socketAddress
        case .address(let address) where !address.address.contains(":") && isIPv6Only:
            found = await parts.resolver.resolve(address.address, port: address.port, preferIPv6: true)?.socketAddress
        case .address(let address) where network != nil: found = address
        default: return
        }
        guard let found, !isOver, let known = try? await engine.peers().first(where: { $0.publicKey == peer.publicKey }) else {
            return
        }
        if known.path?.remote != found { try? await engine.setEndpoint(known.peer, found) }
    }

    private func setMemoryIsScarce(_ isScarce: Bool) async {
        guard !isOver else { return }
        host?.note(isScarce ? "memory is scarce" : "there is enough memory again")
        try? await engine.setMemoryIsScarce(isScarce)
    }

    private func saveFloors() async {
        if let floors = try? await engine.savedFloors() { parts.saveFloors(floors) }
    }
}

/// Whoever comes first.
private final class First: @unchecked Sendable {
    private let lock = NSLock()
    private var isTaken = false

    func isFirst() -> Bool {
        lock.withLock {
            defer { isTaken = true }
            return !isTaken
        }
    }
}
