// The application's side: the profile under which the system knows the tunnel.
import Foundation
import NetworkExtension
import Underpass

/// The profile of a tunnel in the system's settings, made by the application.
public struct TunnelProfile: Sendable {
    /// What the settings show.
    public var name: String
    /// The bundle identifier of the extension.
    public var extensionIdentifier: String
    /// The Keychain access group that application and extension share.
    public var accessGroup: String
    public var leakProtection = LeakProtection.off
    public var onDemand = OnDemandPolicy.off

    public init(name: String, extensionIdentifier: String, accessGroup: String) {
        self.name = name
        self.extensionIdentifier = extensionIdentifier
        self.accessGroup = accessGroup
    }

    /// Saves the profile with this configuration, in place of the one of the same name. The system asks the user the first time.
    /// Start it by the connection of what this returns.
    @MainActor public func install(_ configuration: TunnelConfiguration) async throws -> NETunnelProviderManager {
        let manager = try await existing() ?? NETunnelProviderManager()
        let old = (manager.protocolConfiguration as? NETunnelProviderProtocol)?.passwordReference
        let reference = try ConfigurationStore.save(configuration, name: name, accessGroup: accessGroup)
        fill(manager, reference, configuration)
        do {
            try await done { manager.saveToPreferences(completionHandler: $0) }
        } catch {
            try? ConfigurationStore.remove(reference)
            throw error
        }
        if let old { try? ConfigurationStore.remove(old) }
        // A profile that was just saved cannot be started before it was read again.
        try await done { manager.loadFromPreferences(completionHandler: $0) }
        return manager
    }

    /// Waits for a call of the system. A profile stays on the main actor, which the asynchronous forms of these calls would leave.
    @MainActor private func done(_ call: (@escaping @Sendable ((any Error)?) -> Void) -> Void) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            call { error in
                if let error { done.resume(throwing: error) } else { done.resume() }
            }
        }
    }

    @MainActor private func existing() async throws -> NETunnelProviderManager? {
        let all = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Profiles, any Error>) in
            NETunnelProviderManager.loadAllFromPreferences { all, error in
                if let error { done.resume(throwing: error) } else { done.resume(returning: Profiles(all: all ?? [])) }
            }
        }
        return all.all.first {
            $0.localizedDescription == name
                && ($0.protocolConfiguration as? NETunnelProviderProtocol)?.providerBundleIdentifier == extensionIdentifier
        }
    }

    /// What the system just made: nobody else has it.
    private struct Profiles: @unchecked Sendable {
        let all: [NETunnelProviderManager]
    }

    @MainActor func fill(_ manager: NETunnelProviderManager, _ reference: Data, _ configuration: TunnelConfiguration) {
        let settings = NETunnelProviderProtocol()
        settings.providerBundleIdentifier = extensionIdentifier
        settings.passwordReference = reference
        // The settings show it.
        settings.serverAddress = configuration.peers.lazy.compactMap(\.endpoint).first.map(Self.shown) ?? name
        leakProtection.apply(to: settings)
        manager.protocolConfiguration = settings
        manager.localizedDescription = name
        manager.isEnabled = true
        let rules = onDemand.rules()
        manager.onDemandRules = rules
        manager.isOnDemandEnabled = !rules.isEmpty
    }

    private static func shown(_ endpoint: Endpoint) -> String {
        switch endpoint {
        case .address(let address): return address.address
        case .name(let host, _): return host
        }
    }
}
