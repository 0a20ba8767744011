// How much memory a tunnel may take.
import UnderpassBindings

/// Caps on what a tunnel holds. A packet tunnel extension is ended without a word when it takes more than 50 MB in all.
public struct MemoryBudget: Sendable, Hashable {
    /// Peers that are accepted.
    public var peers: UInt32
    /// Bytes of packets that wait for a session, of one peer and of all.
    public var stagedBytesPerPeer: UInt32
    public var stagedBytes: UInt32
    public var stagedPacketsPerPeer: UInt16

    /// Suits a packet tunnel extension.
    public static let packetTunnel = MemoryBudget(
        peers: 256, stagedBytesPerPeer: 128 << 10, stagedBytes: 256 << 10, stagedPacketsPerPeer: 128)
    /// As long as the system is short of memory.
    public static let scarce = MemoryBudget(
        peers: 256, stagedBytesPerPeer: 16 << 10, stagedBytes: 16 << 10, stagedPacketsPerPeer: 8)

    public init(peers: UInt32, stagedBytesPerPeer: UInt32, stagedBytes: UInt32, stagedPacketsPerPeer: UInt16) {
        self.peers = peers
        self.stagedBytesPerPeer = stagedBytesPerPeer
        self.stagedBytes = stagedBytes
        self.stagedPacketsPerPeer = stagedPacketsPerPeer
    }

    var limits: TunnelLimits {
        TunnelLimits(
            peers: peers, stagedPacketsPerPeer: stagedPacketsPerPeer, stagedBytesPerPeer: stagedBytesPerPeer,
            stagedBytes: stagedBytes, handshakesPerSecond: nil, verifiedHandshakesPerSecond: nil, handshakesPerSource: nil,
            handshakeBurstPerSource: nil)
    }
}
