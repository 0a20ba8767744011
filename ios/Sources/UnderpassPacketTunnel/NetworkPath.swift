// The way to the network, by what matters of it.
import Foundation
import Network

/// What is known of the way to the network outside the tunnel. The system tells of a path more often than it changes, also because of
/// the tunnel's own routes: only what differs here counts.
struct NetworkPath: Sendable, Hashable {
    var isSatisfied: Bool
    var interface: BoundInterface?
    var hasIPv4: Bool
    var hasIPv6: Bool

    /// Only IPv6: an IPv4 address is reached by way of NAT64, if at all.
    var isIPv6Only: Bool { hasIPv6 && !hasIPv4 }

    init(isSatisfied: Bool, interface: BoundInterface?, hasIPv4: Bool, hasIPv6: Bool) {
        (self.isSatisfied, self.interface, self.hasIPv4, self.hasIPv6) = (isSatisfied, interface, hasIPv4, hasIPv6)
    }

    init(_ path: NWPath) {
        // The tunnel's own interface is of the type "other".
        let outside = path.availableInterfaces.first { $0.type != .other && $0.type != .loopback }
        self.init(
            isSatisfied: path.status == .satisfied,
            interface: outside.map { BoundInterface(name: $0.name, index: $0.index) }, hasIPv4: path.supportsIPv4,
            hasIPv6: path.supportsIPv6)
    }
}

/// Tells of the path, each time that it differs.
protocol PathWatch: AnyObject, Sendable {
    func start(_ tell: @escaping @Sendable (NetworkPath) -> Void)
    func stop()
}

final class SystemPathWatch: PathWatch, @unchecked Sendable {
    private let monitor = NWPathMonitor()
    private let queue = DispatchQueue(label: "underpass.path")
    // Belongs to the queue.
    private var latest: NetworkPath?

    func start(_ tell: @escaping @Sendable (NetworkPath) -> Void) {
        monitor.pathUpdateHandler = { [weak self] path in
            let path = NetworkPath(path)
            guard let self, path != self.latest else { return }
            self.latest = path
            tell(path)
        }
        monitor.start(queue: queue)
    }

    func stop() { monitor.cancel() }
}
