// A running tunnel: its control plane.
import Foundation
import UnderpassBindings

/// A running tunnel. It does no I/O: packets and datagrams go through a `PacketFeed`, which whoever owns sockets and virtual
/// interface makes by `feed`.
public actor TunnelEngine {
    public struct Options: Sendable {
        public var memory = MemoryBudget.packetTunnel
        public var padding: Padding?
        /// What `savedFloors` gave in an earlier life.
        public var savedFloors: Data?
        /// nil: the system's.
        public var clock: TunnelClock?
        public init() {}
    }

    private let tunnel: Tunnel
    private let bell = Bell()
    private let memory: MemoryBudget
    private let eventsOut = Broadcast<TunnelEvent>(keepsLatest: false, room: 256)
    private let statusOut = Broadcast<TunnelStatus>(keepsLatest: true, room: 16)
    private let work = Locked<(@Sendable () -> Void)?>(nil)
    private var status: TunnelStatus?

    public init(_ configuration: TunnelConfiguration, options: Options = Options()) throws {
        let sound = try configuration.checked()
        let bell = bell
        memory = options.memory
        tunnel = try asked {
            try Tunnel(
                options: TunnelOptions(
                    configuration: sound, privateKey: nil, mtu: nil, padding: options.padding, limits: options.memory.limits,
                    savedFloors: options.savedFloors, clock: options.clock),
                observer: bell)
        }
        bell.rings { [weak self] in
            Task { [weak self] in await self?.pull() }
        }
    }

    /// The events of the tunnel from now on, each for every stream. The first stream also has those before it, up to 256.
    public nonisolated var events: AsyncStream<TunnelEvent> { eventsOut.stream() }

    /// The status of the tunnel, now and whenever it changes.
    public nonisolated var statuses: AsyncStream<TunnelStatus> { statusOut.stream() }

    public nonisolated var clock: TunnelClock { tunnel.clock() }

    /// Slots through which packets and datagrams go. Feeds of one tunnel wait for each other, for a batch.
    public nonisolated func feed(slots: Int = 64, stride: Int = 2048) throws(TunnelError) -> sending PacketFeed {
        try PacketFeed(tunnel, slots: slots, stride: stride)
    }

    /// Has `wake` called after each call that may give feeds something to do: then poll them. It comes back soon.
    public nonisolated func onWork(_ wake: (@Sendable () -> Void)?) {
        work.with { $0 = wake }
    }

    /// Makes the tunnel what the configuration says. Peers that stay keep their sessions.
    public func update(_ configuration: TunnelConfiguration) throws {
        let sound = try configuration.checked()
        try command { try $0.apply(configuration: sound) }
    }

    /// Tells that the device has other addresses, or another way to the network.
    public func networkChanged() throws(TunnelError) { try command { try $0.handleNetworkChange() } }

    /// Tells that the wall clock was set.
    public func wallClockChanged() throws(TunnelError) { try command { try $0.handleWallClock() } }

    /// Starts a handshake with a peer, unless a session is live or one is under way.
    public func connect(_ peer: UInt64) throws(TunnelError) { try command { try $0.connect(peer: peer) } }

    /// Tells where a peer is reached: the answer to `resolveEndpoint`.
    public func setEndpoint(_ peer: UInt64, _ address: SocketAddress) throws(TunnelError) {
        try command { try $0.setEndpoint(peer: peer, address: address) }
    }

    public func setMTU(_ mtu: UInt16) throws(TunnelError) { try command { try $0.setMtu(mtu: mtu) } }

    /// Lets go of what waits beyond `MemoryBudget.scarce`, and holds no more until it is called with false.
    public func setMemoryIsScarce(_ isScarce: Bool) throws(TunnelError) {
        let memory = isScarce ? MemoryBudget.scarce : memory
        try command { try $0.setLimits(limits: memory.limits) }
    }

    public func peers() throws(TunnelError) -> [PeerInfo] { try asked { try tunnel.peers() } }

    public func statistics() throws(TunnelError) -> TunnelStatistics { try asked { try tunnel.statistics() } }

    /// How often packets and datagrams went no further, by reason.
    public func drops() throws(TunnelError) -> [DropCount] { try asked { try tunnel.drops() } }

    public func layout() throws(TunnelError) -> TunnelLayout { try asked { try tunnel.layout() } }

    /// What is to be saved from time to time and when the tunnel ends, for `Options.savedFloors` of its next life.
    public func savedFloors() throws(TunnelError) -> Data { try asked { try tunnel.savedFloors() } }

    /// Ends the tunnel and wipes its keys. The streams end. Doing it again does nothing.
    public func close() {
        tunnel.shutDown()
        tell(.closed)
        eventsOut.finish()
        statusOut.finish()
        wake()
    }

    private func command(_ body: (Tunnel) throws -> Void) throws(TunnelError) {
        try asked { try body(tunnel) }
        wake()
        // Peers may have come and gone, which is no event.
        pull()
    }

    private func wake() {
        work.with { $0 }?()
    }

    /// Hands on what happened.
    private func pull() {
        guard status != .closed else { return }
        do {
            while let event = try asked({ try tunnel.nextEvent() }) { eventsOut.tell(event) }
            tell(TunnelStatus(try tunnel.peers().map(\.health)))
        } catch {
            let refusal = TunnelError(thrown: error)
            if refusal.kind != .closed { tell(.broken(refusal)) }
        }
    }

    private func tell(_ now: TunnelStatus) {
        guard now != status, status != .closed else { return }
        status = now
        statusOut.tell(now)
    }

    deinit {
        tunnel.shutDown()
        eventsOut.finish()
        statusOut.finish()
    }
}

/// What the library wakes when events wait.
private final class Bell: TunnelObserver {
    private let rung = Locked<(early: Bool, ring: (@Sendable () -> Void)?)>((false, nil))

    func wake() {
        rung.with { rung in
            if rung.ring == nil { rung.early = true }
            return rung.ring
        }?()
    }

    /// Calls `ring` from now on, also for what came before. It is called once in any case, to tell the first status.
    func rings(_ ring: @escaping @Sendable () -> Void) {
        rung.with { $0.ring = ring }
        ring()
    }
}
