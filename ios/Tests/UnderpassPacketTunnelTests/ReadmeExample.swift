import Foundation
import NetworkExtension
import Underpass
import UnderpassPacketTunnel

@MainActor func install(_ text: String, group: String) async throws -> NETunnelProviderManager {
    let configuration = try TunnelConfiguration(wgQuick: text)  // ConfigurationError: line, column, section, key, reason
    var profile = TunnelProfile(name: "Home", extensionIdentifier: "org.example.app.tunnel", accessGroup: group)
    profile.leakProtection = .enforceRoutes(excludeLocalNetworks: true)
    profile.onDemand = .always
    return try await profile.install(configuration)  // then: try manager.connection.startVPNTunnel()
}
