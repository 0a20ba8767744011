// An address of UDP without texts.

/// An address of UDP as the data plane has it: numbers, no text.
public struct RawEndpoint: Sendable, Hashable {
    public enum Address: Sendable, Hashable {
        case v4(UInt32)
        /// The higher and the lower half.
        case v6(UInt64, UInt64)
    }

    public var address: Address
    public var port: UInt16
    /// The interface of an IPv6 link-local address.
    public var scope: UInt32

    public init(_ address: Address, port: UInt16, scope: UInt32 = 0) {
        self.address = address
        self.port = port
        self.scope = scope
    }
}
