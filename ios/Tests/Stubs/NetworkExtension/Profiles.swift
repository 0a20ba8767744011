// Stands in for NetworkExtension on Linux: profiles as an application makes them, kept in memory. Not Apple's code.
import Foundation

open class NEVPNProtocol: NSObject {
    open var serverAddress: String?  // objc: serverAddress setServerAddress:
    open var passwordReference: Data?  // objc: passwordReference setPasswordReference:
    open var includeAllNetworks = false  // objc: includeAllNetworks setIncludeAllNetworks:
    open var enforceRoutes = false  // objc: enforceRoutes setEnforceRoutes:
    open var excludeLocalNetworks = false  // objc: excludeLocalNetworks setExcludeLocalNetworks:
    open var excludeCellularServices = true  // objc: excludeCellularServices setExcludeCellularServices:
    open var excludeAPNs = true  // objc: excludeAPNs setExcludeAPNs:
    open var excludeDeviceCommunication = true  // objc: excludeDeviceCommunication setExcludeDeviceCommunication:
}

open class NETunnelProviderProtocol: NEVPNProtocol {
    open var providerConfiguration: [String: Any]?  // objc: providerConfiguration setProviderConfiguration:
    open var providerBundleIdentifier: String?  // objc: providerBundleIdentifier setProviderBundleIdentifier:
}

public enum NEOnDemandRuleInterfaceType: Int, Sendable {
    case any = 0
    case wiFi = 2
    case cellular = 3
}

open class NEOnDemandRule: NSObject {
    open var interfaceTypeMatch = NEOnDemandRuleInterfaceType.any  // objc: interfaceTypeMatch setInterfaceTypeMatch:
    open var ssidMatch: [String]?  // objc: SSIDMatch setSSIDMatch:
}

open class NEOnDemandRuleConnect: NEOnDemandRule {}
open class NEOnDemandRuleDisconnect: NEOnDemandRule {}

open class NEVPNManager: NSObject {
    open var protocolConfiguration: NEVPNProtocol?  // objc: protocolConfiguration setProtocolConfiguration:
    open var localizedDescription: String?  // objc: localizedDescription setLocalizedDescription:
    open var isEnabled = false  // objc: isEnabled setEnabled:
    open var onDemandRules: [NEOnDemandRule]?  // objc: onDemandRules setOnDemandRules:
    open var isOnDemandEnabled = false  // objc: isOnDemandEnabled setOnDemandEnabled:
    /// For tests: what the next save is refused with.
    nonisolated(unsafe) public static var refusal: (any Error)?
    open func loadFromPreferences(  // objc: loadFromPreferencesWithCompletionHandler:
        completionHandler: @escaping @Sendable ((any Error)?) -> Void
    ) { completionHandler(nil) }
    open func saveToPreferences(  // objc: saveToPreferencesWithCompletionHandler:
        completionHandler: (@Sendable ((any Error)?) -> Void)? = nil
    ) {
        if Self.refusal == nil, let profile = self as? NETunnelProviderManager, !NETunnelProviderManager.saved.contains(profile) {
            NETunnelProviderManager.saved.append(profile)
        }
        completionHandler?(Self.refusal)
    }
}

open class NETunnelProviderManager: NEVPNManager {
    nonisolated(unsafe) static var saved: [NETunnelProviderManager] = []
    open class func loadAllFromPreferences(  // objc: loadAllFromPreferencesWithCompletionHandler:
        completionHandler: @escaping @Sendable ([NETunnelProviderManager]?, (any Error)?) -> Void
    ) { completionHandler(saved, nil) }
}
