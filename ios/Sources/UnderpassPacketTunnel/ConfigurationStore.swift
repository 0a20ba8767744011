// Where configurations are kept: they hold the private key.
import Foundation
import NetworkExtension
import Security
import Underpass

/// Why there is no configuration for the tunnel.
public enum StoreError: Error, Sendable, Hashable {
    /// The profile has neither a reference into the Keychain nor a text.
    case noConfiguration
    /// The Keychain refused, with its number. Before the first unlock after a start it has -25308.
    case keychain(OSStatus)
    /// What the Keychain has is no text.
    case notText
}

/// Configurations in the Keychain. The extension reads them by a reference that the profile has.
public enum ConfigurationStore {
    /// The key of the text in `providerConfiguration`, for profiles that an organisation hands out.
    public static let textKey = "WgQuickConfig"

    /// Keeps a configuration. The answer is a reference for `passwordReference`. `accessGroup` is one that application and extension
    /// share. It can be read after the first unlock, on this device only.
    public static func save(_ configuration: TunnelConfiguration, name: String, accessGroup: String) throws -> Data {
        let item = NSMutableDictionary()
        item[kSecClass] = kSecClassGenericPassword
        item[kSecAttrService] = "underpass"
        item[kSecAttrAccount] = "\(name).\(UUID().uuidString)"
        item[kSecAttrLabel] = name
        item[kSecAttrAccessGroup] = accessGroup
        item[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        item[kSecValueData] = Data(try configuration.wgQuick().utf8)
        item[kSecReturnPersistentRef] = true
        var reference: CFTypeRef?
        let status = SecItemAdd(item as CFDictionary, &reference)
        guard status == errSecSuccess, let data = reference as? Data else { throw StoreError.keychain(status) }
        return data
    }

    public static func remove(_ reference: Data) throws {
        let query = NSMutableDictionary()
        query[kSecValuePersistentRef] = reference
        let status = SecItemDelete(query as CFDictionary)
        guard status == errSecSuccess || status == errSecItemNotFound else { throw StoreError.keychain(status) }
    }

    static func text(_ reference: Data) throws -> String {
        let query = NSMutableDictionary()
        query[kSecClass] = kSecClassGenericPassword
        query[kSecValuePersistentRef] = reference
        query[kSecReturnData] = true
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        guard status == errSecSuccess, let data = found as? Data else { throw StoreError.keychain(status) }
        guard let text = String(data: data, encoding: .utf8) else { throw StoreError.notText }
        return text
    }

    /// What the profile of a tunnel says.
    static func load(_ settings: NEVPNProtocol?) throws -> TunnelConfiguration {
        guard let settings = settings as? NETunnelProviderProtocol else { throw StoreError.noConfiguration }
        if let reference = settings.passwordReference { return try TunnelConfiguration(wgQuick: text(reference)) }
        guard let text = settings.providerConfiguration?[textKey] as? String else { throw StoreError.noConfiguration }
        return try TunnelConfiguration(wgQuick: text)
    }
}
