// Moves packets and datagrams between the virtual interface, the tunnel and the sockets.
import Foundation
import Underpass

/// The loop of the data plane. All of it happens on one serial queue; one call into the library moves a batch, through one slab that
/// is made once.
final class PacketLoop: @unchecked Sendable {
    private let engine: TunnelEngine
    private let driver: any PacketDriver
    private let clock: TunnelClock
    private let queue = DispatchQueue(label: "underpass.packets", qos: .userInitiated)
    private let timer: any DispatchSourceTimer
    // All below belongs to the queue.
    private var feed: PacketFeed?
    private var room = (headroom: 0, tailroom: 0)
    private var sockets: [UDPSocket] = []
    private var sources: [any DispatchSourceRead] = []
    private var isStopped = false
    private var tooLong: UInt64 = 0

    /// Batches of datagrams that are read before others have their turn.
    private static let rounds = 8

    init(_ engine: TunnelEngine, driver: any PacketDriver) {
        self.engine = engine
        self.driver = driver
        clock = engine.clock
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.tick() }
        timer.schedule(deadline: .distantFuture)
        timer.activate()
    }

    /// Opens sockets, and moves packets from now on. `port` 0: any.
    func start(port: UInt16, interface: BoundInterface?) throws {
        try queue.sync {
            try makeFeed()
            try bind(port: port, interface: interface)
            engine.onWork { [weak self] in self?.kick() }
            driver.start(on: queue) { [weak self] packets in self?.take(packets) }
            drain()
        }
    }

    /// Takes new sockets on `interface`, on the same port if that is free. When none can be had, the old ones stay.
    func rebind(to interface: BoundInterface?) throws {
        try queue.sync {
            guard !isStopped else { return }
            let port = sockets.first?.port ?? 0
            let old = (sockets, sources)
            (sockets, sources) = ([], [])
            do {
                try bind(port: port, interface: interface)
            } catch {
                (sockets, sources) = old
                throw error
            }
            old.1.forEach { $0.cancel() }
        }
    }

    /// Looks for work, also when the device slept: timers stand still meanwhile.
    func kick() {
        queue.async { [weak self] in self?.tick() }
    }

    /// Ends it. No packet moves when this has returned.
    func stop() {
        engine.onWork(nil)
        driver.stop()
        queue.sync {
            isStopped = true
            timer.cancel()
            sources.forEach { $0.cancel() }
            (feed, sockets, sources) = (nil, [], [])
        }
    }

    /// Packets of the device that no slot can hold.
    var oversized: UInt64 { queue.sync { tooLong } }

    var port: UInt16 { queue.sync { sockets.first?.port ?? 0 } }

    private func makeFeed() throws {
        var feed = try engine.feed()
        let needed = try feed.transmitBuffer()
        if needed > feed.stride {
            feed = try engine.feed(stride: min((needed + 1023) & ~1023, PacketFeed.maxStride))
        }
        room = (try feed.headroom(), try feed.tailroom())
        self.feed = feed
    }

    /// A socket for each family that the device has. The first one's port counts.
    private func bind(port: UInt16, interface: BoundInterface?) throws {
        var port = port
        var failure: (any Error)?
        for v4 in [true, false] {
            do {
                let socket = try open(v4: v4, port: port, interface: interface)
                if port == 0 { port = socket.port }
                sockets.append(socket)
            } catch {
                failure = error
            }
        }
        if sockets.isEmpty, let failure { throw failure }
        for socket in sockets { watch(socket) }
    }

    private func open(v4: Bool, port: UInt16, interface: BoundInterface?) throws(SystemError) -> UDPSocket {
        do {
            return try UDPSocket(v4: v4, port: port, interface: interface)
        } catch {
            // Somebody has the port, be it the sockets that are to go: any is as good.
            guard port != 0, error.number == EADDRINUSE else { throw error }
            return try UDPSocket(v4: v4, port: 0, interface: interface)
        }
    }

    private func watch(_ socket: UDPSocket) {
        let source = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        source.setEventHandler { [weak self] in self?.read(socket) }
        // The descriptor stays open until the source has let go of it.
        source.setCancelHandler { withExtendedLifetime(socket) {} }
        source.activate()
        sources.append(source)
    }

    /// Packets of the device.
    private func take(_ packets: [Data]) {
        guard !isStopped, let feed else { return }
        var rest = packets[...]
        while !rest.isEmpty {
            var count = 0
            while count < feed.slots, let packet = rest.popFirst() {
                let fits = packet.withUnsafeBytes {
                    feed.load(count, $0, headroom: room.headroom, tailroom: room.tailroom)
                }
                // What is longer than a slot is longer than the MTU, which the system keeps to.
                if fits { count += 1 } else { tooLong += 1 }
            }
            var back: [Data] = []
            if (try? feed.handlePackets(count)) != nil {
                for slot in 0..<count {
                    switch feed.verdict(slot) {
                    case .send: send(slot, feed)
                    case .bounce: back.append(feed.withBytes(slot) { Data($0) })
                    default: break
                    }
                }
            }
            driver.write(back)
        }
        drain()
    }

    /// Datagrams of the network.
    private func read(_ socket: UDPSocket) {
        guard !isStopped, let feed else { return }
        for _ in 0..<Self.rounds {
            var count = 0
            while count < feed.slots {
                var from: RawEndpoint?
                let read = feed.fill(count) { room in
                    guard let received = socket.receive(into: room) else { return nil }
                    from = received.from
                    return received.count
                }
                guard read != nil, let from else { break }
                feed.setRemote(count, from)
                feed.setECN(count, 0)
                feed.setLink(count, 0)
                count += 1
            }
            guard count > 0, (try? feed.handleDatagrams(count)) != nil else { break }
            var packets: [Data] = []
            for slot in 0..<count {
                switch feed.verdict(slot) {
                case .deliver: packets.append(feed.withBytes(slot) { Data($0) })
                case .reply: send(slot, feed)
                default: break
                }
            }
            driver.write(packets)
            if count < feed.slots { break }
        }
        drain()
    }

    private func send(_ slot: Int, _ feed: PacketFeed) {
        guard let to = feed.remote(slot) else { return }
        let isReply = feed.verdict(slot) == .reply
        let socket = sockets.first { $0.isV4 == to.isV4 }
        let failure = socket.map { socket in feed.withBytes(slot) { socket.send($0, to: to) } } ?? .familyGone
        // A cookie reply goes to nobody that is known.
        if let failure, !isReply { try? feed.sendFailed(slot, failure) }
    }

    /// Sends what is to be sent, and sets the timer.
    private func drain() {
        guard !isStopped, let feed else { return }
        while let count = try? feed.pollTransmits(), count > 0 {
            for slot in 0..<count { send(slot, feed) }
            if count < feed.slots { break }
        }
        guard let due = try? feed.pollTimeout() else {
            timer.schedule(deadline: .distantFuture)
            return
        }
        let wait = Int(clamping: due - min(due, clock.nowNanos()))
        // Short waits are kept, long ones may be late by a little, so that the device wakes less often.
        timer.schedule(deadline: .now() + .nanoseconds(wait), leeway: .nanoseconds(min(wait / 20, 1_000_000_000)))
    }

    private func tick() {
        guard !isStopped, let feed else { return }
        // Packets may need other room than before.
        if let headroom = try? feed.headroom(), let tailroom = try? feed.tailroom() { room = (headroom, tailroom) }
        if let needed = try? feed.transmitBuffer(), needed > feed.stride { try? makeFeed() }
        try? self.feed?.handleTimeout()
        drain()
    }
}
