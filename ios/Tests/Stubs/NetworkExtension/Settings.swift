// Stands in for NetworkExtension on Linux: what a provider tells the system. Not Apple's code.
import Foundation

open class NETunnelNetworkSettings: NSObject {
    public let tunnelRemoteAddress: String  // objc: tunnelRemoteAddress
    open var dnsSettings: NEDNSSettings?  // objc: DNSSettings setDNSSettings:
    public init(tunnelRemoteAddress address: String) { tunnelRemoteAddress = address }  // objc: initWithTunnelRemoteAddress:
}

open class NEPacketTunnelNetworkSettings: NETunnelNetworkSettings {
    open var ipv4Settings: NEIPv4Settings?  // objc: IPv4Settings setIPv4Settings:
    open var ipv6Settings: NEIPv6Settings?  // objc: IPv6Settings setIPv6Settings:
    open var mtu: NSNumber?  // objc: MTU setMTU:
}

open class NEDNSSettings: NSObject {
    public let servers: [String]  // objc: servers
    open var matchDomains: [String]?  // objc: matchDomains setMatchDomains:
    open var searchDomains: [String]?  // objc: searchDomains setSearchDomains:
    public init(servers: [String]) { self.servers = servers }  // objc: initWithServers:
}

open class NEIPv4Route: NSObject {
    public let destinationAddress: String  // objc: destinationAddress
    public let destinationSubnetMask: String  // objc: destinationSubnetMask
    public init(destinationAddress address: String, subnetMask: String) {  // objc: initWithDestinationAddress:subnetMask:
        (destinationAddress, destinationSubnetMask) = (address, subnetMask)
    }
    open class func `default`() -> NEIPv4Route {  // objc: defaultRoute
        NEIPv4Route(destinationAddress: "0.0.0.0", subnetMask: "0.0.0.0")
    }
}

open class NEIPv4Settings: NSObject {
    public let addresses: [String]  // objc: addresses
    public let subnetMasks: [String]  // objc: subnetMasks
    open var includedRoutes: [NEIPv4Route]?  // objc: includedRoutes setIncludedRoutes:
    public init(addresses: [String], subnetMasks: [String]) {  // objc: initWithAddresses:subnetMasks:
        (self.addresses, self.subnetMasks) = (addresses, subnetMasks)
    }
}

open class NEIPv6Route: NSObject {
    public let destinationAddress: String  // objc: destinationAddress
    public let destinationNetworkPrefixLength: NSNumber  // objc: destinationNetworkPrefixLength
    public init(destinationAddress address: String, networkPrefixLength: NSNumber) {  // objc: initWithDestinationAddress:networkPrefixLength:
        (destinationAddress, destinationNetworkPrefixLength) = (address, networkPrefixLength)
    }
    open class func `default`() -> NEIPv6Route {  // objc: defaultRoute
        NEIPv6Route(destinationAddress: "::", networkPrefixLength: 0)
    }
}

open class NEIPv6Settings: NSObject {
    public let addresses: [String]  // objc: addresses
    public let networkPrefixLengths: [NSNumber]  // objc: networkPrefixLengths
    open var includedRoutes: [NEIPv6Route]?  // objc: includedRoutes setIncludedRoutes:
    public init(addresses: [String], networkPrefixLengths: [NSNumber]) {  // objc: initWithAddresses:networkPrefixLengths:
        (self.addresses, self.networkPrefixLengths) = (addresses, networkPrefixLengths)
    }
}
