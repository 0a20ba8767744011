// What can be said of a tunnel as a whole.

/// What can be said of a tunnel from authenticated traffic. With several peers it is that of the one that fares best.
public enum TunnelStatus: Sendable, Hashable {
    /// No session yet.
    case connecting
    /// A session is live, and nothing that we sent is unanswered.
    case up
    /// The session ended for its age, and nothing is unanswered. Traffic starts another: show it as connected.
    case idle
    /// What we sent is unanswered.
    case stale
    /// A handshake was given up, and nobody was heard since.
    case failed
    /// There is no peer.
    case empty
    /// A bug stopped the tunnel. Make another.
    case broken(TunnelError)
    case closed

    /// Whether to show it as connected.
    public var isConnected: Bool { self == .up || self == .idle }

    init(_ peers: [Health]) {
        let order: [(Health, TunnelStatus)] = [
            (.up, .up), (.idle, .idle), (.connecting, .connecting), (.stale, .stale), (.failed, .failed),
        ]
        self = order.first { peers.contains($0.0) }?.1 ?? .empty
    }
}
