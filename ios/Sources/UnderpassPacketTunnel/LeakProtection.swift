// What goes around the tunnel, and when it comes up by itself.
import Foundation
import NetworkExtension

/// What the system lets go around the tunnel.
public enum LeakProtection: Sendable, Hashable {
    /// What goes around the tunnel although all networks are included.
    public struct Exclusions: Sendable, Hashable {
        public var localNetworks = false
        /// Calls and messages of the carrier.
        public var cellularServices = true
        /// Push messages.
        public var apns = true
        /// What the device says to others by cable, as CarPlay does.
        public var deviceCommunication = true
        public init() {}
    }

    /// Routes decide, and applications that bind to an interface go around them.
    case off
    /// Routes hold for everybody; local networks are reached or not.
    case enforceRoutes(excludeLocalNetworks: Bool)
    /// Nothing goes around the tunnel, also while it comes up or is down. Names of endpoints cannot be looked up then, and the system
    /// ignores excluded routes: give addresses.
    case allNetworks(Exclusions)

    func apply(to settings: NETunnelProviderProtocol) {
        switch self {
        case .off:
            (settings.includeAllNetworks, settings.enforceRoutes, settings.excludeLocalNetworks) = (false, false, false)
        case .enforceRoutes(let excludeLocalNetworks):
            (settings.includeAllNetworks, settings.enforceRoutes) = (false, true)
            settings.excludeLocalNetworks = excludeLocalNetworks
        case .allNetworks(let exclusions):
            // Both at once is none of the system's modes.
            (settings.includeAllNetworks, settings.enforceRoutes) = (true, false)
            settings.excludeLocalNetworks = exclusions.localNetworks
            if #available(iOS 16.4, macOS 13.3, *) {
                settings.excludeCellularServices = exclusions.cellularServices
                settings.excludeAPNs = exclusions.apns
            }
            if #available(iOS 17.4, macOS 14.4, *) {
                settings.excludeDeviceCommunication = exclusions.deviceCommunication
            }
        }
    }
}

/// When the system brings the tunnel up by itself.
public enum OnDemandPolicy: Sendable, Hashable {
    public enum WiFi: Sendable, Hashable {
        case never, any
        /// In the networks of these names.
        case only([String])
        case except([String])
    }

    case off
    case always
    /// By the kind of network; `others` is mobile data, and on a Mac the cable.
    case when(wifi: WiFi, others: Bool)

    /// The first rule that fits counts.
    func rules() -> [NEOnDemandRule] {
        #if os(macOS)
        let others = NEOnDemandRuleInterfaceType.ethernet
        #else
        let others = NEOnDemandRuleInterfaceType.cellular
        #endif
        switch self {
        case .off: return []
        case .always: return [NEOnDemandRuleConnect()]
        case .when(let wifi, let connects):
            var rules: [NEOnDemandRule]
            switch wifi {
            case .never: rules = [rule(false, .wiFi)]
            case .any: rules = [rule(true, .wiFi)]
            case .only(let names): rules = [rule(true, .wiFi, names), rule(false, .wiFi)]
            case .except(let names): rules = [rule(false, .wiFi, names), rule(true, .wiFi)]
            }
            rules.append(rule(connects, others))
            return rules
        }
    }

    private func rule(_ connects: Bool, _ type: NEOnDemandRuleInterfaceType, _ names: [String]? = nil) -> NEOnDemandRule {
        let rule: NEOnDemandRule = connects ? NEOnDemandRuleConnect() : NEOnDemandRuleDisconnect()
        rule.interfaceTypeMatch = type
        if let names { rule.ssidMatch = names }
        return rule
    }
}
