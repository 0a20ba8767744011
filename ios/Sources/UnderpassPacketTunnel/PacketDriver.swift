// Where packets of the device come from and go to.
import Foundation
import NetworkExtension

/// Moves packets between the virtual interface and the loop.
protocol PacketDriver: AnyObject, Sendable {
    /// Calls `take` on `queue` with each batch of packets, and reads on when it is done: what is not read yet waits in the system.
    func start(on queue: DispatchQueue, _ take: @escaping @Sendable ([Data]) -> Void)
    func write(_ packets: [Data])
    func stop()
}

/// By `packetFlow`, which is public and supported: the default.
final class PacketFlowDriver: PacketDriver, @unchecked Sendable {
    private let flow: NEPacketTunnelFlow
    private let lock = NSLock()
    private var isStopped = false

    init(_ flow: NEPacketTunnelFlow) { self.flow = flow }

    func start(on queue: DispatchQueue, _ take: @escaping @Sendable ([Data]) -> Void) {
        flow.readPackets { [weak self] packets, _ in
            queue.async { [weak self] in
                guard let self, !self.lock.withLock({ self.isStopped }) else { return }
                // What the system hands out is let go with the batch.
                autoreleased { take(packets) }
                self.start(on: queue, take)
            }
        }
    }

    func write(_ packets: [Data]) {
        guard !packets.isEmpty else { return }
        flow.writePackets(packets, withProtocols: packets.map { NSNumber(value: family(of: $0)) })
    }

    func stop() { lock.withLock { isStopped = true } }
}

/// The address family of a packet.
func family(of packet: Data) -> Int32 { packet.first.map { $0 >> 4 } == 6 ? AF_INET6 : AF_INET }

func autoreleased(_ body: () -> Void) {
    #if canImport(ObjectiveC)
    autoreleasepool(invoking: body)
    #else
    body()
    #endif
}
