// What application and extension say to each other.
import Foundation
import Underpass

/// What the application asks of the running tunnel, by `sendProviderMessage`.
public enum AppMessage: Codable, Sendable, Hashable {
    case status
    /// A wg-quick text that takes the place of the configuration; sessions of peers that stay go on.
    case update(wgQuick: String)

    public func encoded() throws -> Data { try JSONEncoder().encode(self) }
}

/// What it is told.
public enum AppReply: Codable, Sendable, Hashable {
    public struct Status: Codable, Sendable, Hashable {
        /// A word of `TunnelStatus`: `connecting`, `up`, `idle`, `stale`, `failed`, `empty`, `broken`, `closed`.
        public var word: String
        /// Whether to show it as connected.
        public var isConnected: Bool
        public var txBytes: UInt64
        public var rxBytes: UInt64
        /// Milliseconds since 1970.
        public var latestHandshake: UInt64?
        /// How many packets and datagrams went no further, by the names of the reasons.
        public var drops: [String: UInt64]
        /// Bytes that the extension may still take; nil where the system does not say.
        public var availableMemory: Int?
    }

    case status(Status)
    case done
    /// The code is that of `TunnelError` or `ConfigurationError`; the text repeats no key.
    case refused(code: Int32, reason: String)

    public init(_ data: Data) throws { self = try JSONDecoder().decode(Self.self, from: data) }
}
