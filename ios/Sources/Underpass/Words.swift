// The words that applications use, from the control plane that uniffi wrote.
import Foundation
import UnderpassBindings

public typealias PrivateKey = UnderpassBindings.PrivateKey
public typealias PublicKey = UnderpassBindings.PublicKey
public typealias PresharedKey = UnderpassBindings.PresharedKey
public typealias IPNetwork = UnderpassBindings.Network
public typealias Endpoint = UnderpassBindings.Endpoint
public typealias SocketAddress = UnderpassBindings.SocketAddress
public typealias TunnelEvent = UnderpassBindings.TunnelEvent
public typealias TunnelStatistics = UnderpassBindings.TunnelStatistics
public typealias TunnelLayout = UnderpassBindings.TunnelLayout
public typealias PeerInfo = UnderpassBindings.PeerInfo
public typealias DropCount = UnderpassBindings.DropCount
public typealias DropReason = UnderpassBindings.DropReason
public typealias SendError = UnderpassBindings.SendError
public typealias Health = UnderpassBindings.Health
public typealias Padding = UnderpassBindings.Padding
/// The clock of a tunnel: the system's, which counts while the device sleeps, or one that a test moves.
public typealias TunnelClock = UnderpassBindings.Clock

/// The version of the library, as `0.1.0`.
public var libraryVersion: String { UnderpassBindings.libraryVersion() }
