// Stands in for Network on Linux: only the declarations that the package uses. Not Apple's code.
import Dispatch

public struct NWInterface: Sendable {
    public enum InterfaceType: Sendable { case other, wifi, cellular, wiredEthernet, loopback }
    public let name: String
    public let index: Int
    public let type: InterfaceType

    /// For tests: Apple's has none.
    public init(name: String, index: Int, type: InterfaceType) {
        (self.name, self.index, self.type) = (name, index, type)
    }
}

public struct NWPath: Sendable {
    public enum Status: Sendable { case satisfied, unsatisfied, requiresConnection }
    public let status: Status
    public let availableInterfaces: [NWInterface]
    public let supportsIPv4: Bool
    public let supportsIPv6: Bool

    /// For tests: Apple's has none.
    public init(status: Status, availableInterfaces: [NWInterface], supportsIPv4: Bool, supportsIPv6: Bool) {
        (self.status, self.availableInterfaces) = (status, availableInterfaces)
        (self.supportsIPv4, self.supportsIPv6) = (supportsIPv4, supportsIPv6)
    }
}

public final class NWPathMonitor: @unchecked Sendable {
    public var pathUpdateHandler: (@Sendable (NWPath) -> Void)?
    public init() {}
    public func start(queue: DispatchQueue) {}
    public func cancel() {}
}
