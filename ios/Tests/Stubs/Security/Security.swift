// Stands in for Security on Linux, as a Keychain in memory: only the declarations that the package uses. Not Apple's code.
import Foundation

public typealias OSStatus = Int32
public typealias CFDictionary = NSDictionary
public typealias CFTypeRef = AnyObject

public let errSecSuccess: OSStatus = 0
public let errSecItemNotFound: OSStatus = -25300

nonisolated(unsafe) public let kSecClass = NSString(string: "class")
nonisolated(unsafe) public let kSecClassGenericPassword = NSString(string: "genp")
nonisolated(unsafe) public let kSecAttrService = NSString(string: "svce")
nonisolated(unsafe) public let kSecAttrAccount = NSString(string: "acct")
nonisolated(unsafe) public let kSecAttrLabel = NSString(string: "labl")
nonisolated(unsafe) public let kSecAttrAccessGroup = NSString(string: "agrp")
nonisolated(unsafe) public let kSecAttrAccessible = NSString(string: "pdmn")
nonisolated(unsafe) public let kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly = NSString(string: "cku")
nonisolated(unsafe) public let kSecValueData = NSString(string: "v_Data")
nonisolated(unsafe) public let kSecValuePersistentRef = NSString(string: "v_PersistentRef")
nonisolated(unsafe) public let kSecReturnData = NSString(string: "r_Data")
nonisolated(unsafe) public let kSecReturnPersistentRef = NSString(string: "r_PersistentRef")

private let lock = NSLock()
nonisolated(unsafe) private var items: [Data: Data] = [:]

public func SecItemAdd(_ attributes: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let data = attributes[kSecValueData] as? Data else { return -50 }
    let reference = Data(UUID().uuidString.utf8)
    lock.withLock { items[reference] = data }
    result?.pointee = NSData(data: reference)
    return errSecSuccess
}

public func SecItemCopyMatching(_ query: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?) -> OSStatus {
    guard let reference = query[kSecValuePersistentRef] as? Data, let data = lock.withLock({ items[reference] }) else {
        return errSecItemNotFound
    }
    result?.pointee = NSData(data: data)
    return errSecSuccess
}

public func SecItemDelete(_ query: CFDictionary) -> OSStatus {
    guard let reference = query[kSecValuePersistentRef] as? Data, lock.withLock({ items.removeValue(forKey: reference) }) != nil
    else { return errSecItemNotFound }
    return errSecSuccess
}
