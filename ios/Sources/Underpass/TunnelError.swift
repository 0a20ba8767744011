// Why a call was refused.
import UnderpassBindings

/// Why a call was refused. `code` is the number that every interface of the library has for the reason. The text repeats no key.
public struct TunnelError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reasons, by their codes.
    public enum Kind: Int32, Sendable, CaseIterable {
        /// The tunnel or the feed was closed.
        case closed = -1
        case size = -2
        case argument = -3
        case buffer = -4
        case overlap = -5
        case batch = -6
        case key = -7
        case config = -8
        case lowOrderKey = -9
        case tooManyPeers = -10
        case prefix = -11
        case mtu = -12
        case limit = -13
        case noPeer = -14
        case job = -15
        case random = -16
        case busy = -17
        /// A bug in the library stopped the call; the tunnel is of no use any more.
        case panic = -18
        /// A bug stopped an earlier call.
        case poisoned = -19
        case memory = -20
    }

    public let code: Int32
    public let message: String

    /// The reason; nil where the library has one that this package does not know.
    public var kind: Kind? { Kind(rawValue: code) }
    public var description: String { "\(message) (\(code))" }

    public init(_ kind: Kind, _ message: String) {
        self.init(code: kind.rawValue, message: message)
    }

    init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    /// What a call of the control plane threw.
    init(thrown error: any Error) {
        switch error {
        case let error as UnderpassBindings.TunnelError: self.init(code: error.code(), message: error.description)
        case let error as TunnelError: self = error
        // uniffi's own, which are bugs.
        default: self.init(.panic, "a bug in the library stopped the call")
        }
    }

    /// What a call of the packet feed answered.
    init(code: Int32) {
        let word = UnderpassBindings.vocabulary().statuses.first { $0.number == code }?.name
        self.init(code: code, message: code == -1 ? "E_NULL: the feed or its tunnel was closed" : word ?? "unknown")
    }
}

/// Calls the control plane.
func asked<R>(_ body: () throws -> R) throws(TunnelError) -> R {
    do { return try body() } catch { throw TunnelError(thrown: error) }
}
