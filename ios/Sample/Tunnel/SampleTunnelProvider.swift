import UnderpassPacketTunnel

/// The extension: its Info.plist names this class.
final class SampleTunnelProvider: PacketTunnelProvider, @unchecked Sendable {}
