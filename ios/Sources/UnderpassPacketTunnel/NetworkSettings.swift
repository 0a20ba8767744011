// What the system is told of the virtual interface.
import Foundation
import NetworkExtension
import Underpass

/// Addresses, routes and name servers of the virtual interface, made from a configuration. It is compared with the last one: the system
/// is told only of what differs, since each call may drop sockets.
struct NetworkSettings: Sendable, Hashable {
    var addresses: [IPNetwork]
    var routes: [IPNetwork]
    var dnsServers: [String]
    var searchDomains: [String]
    var mtu: UInt16

    /// Where neither the text nor the platform says more: what every network carries.
    static let defaultMTU: UInt16 = 1280

    init(_ configuration: TunnelConfiguration) {
        addresses = configuration.addresses
        routes = configuration.peers.flatMap(\.allowedIPs)
        dnsServers = configuration.dnsServers
        searchDomains = configuration.searchDomains
        mtu = configuration.mtu ?? Self.defaultMTU
        close()
    }

    /// Where one family has a default route, the other gets one too: its packets end in the tunnel, and do not go around it.
    private mutating func close() {
        let defaults = routes.filter { $0.prefix == 0 }
        guard let one = defaults.first, !defaults.contains(where: { $0.isV6 != one.isV6 }) else { return }
        routes.append(one.isV6 ? IPNetwork(address: "0.0.0.0", prefix: 0) : IPNetwork(address: "::", prefix: 0))
        guard !addresses.contains(where: { $0.isV6 != one.isV6 }) else { return }
        // Documentation and unique local addresses: they only make the route possible.
        addresses.append(one.isV6 ? IPNetwork(address: "192.0.0.8", prefix: 32) : IPNetwork(address: "fd00:756e:6465::1", prefix: 128))
    }

    /// The form that the system takes.
    func make() -> NEPacketTunnelNetworkSettings {
        // The system shows it and does nothing with it: there may be many peers.
        let settings = NEPacketTunnelNetworkSettings(tunnelRemoteAddress: "127.0.0.1")
        settings.mtu = NSNumber(value: mtu)
        let (four, six) = (addresses.filter { !$0.isV6 }, addresses.filter(\.isV6))
        if !four.isEmpty {
            let ipv4 = NEIPv4Settings(addresses: four.map(\.address), subnetMasks: four.map(\.mask))
            ipv4.includedRoutes = routes.filter { !$0.isV6 }.map {
                $0.prefix == 0 ? .default() : NEIPv4Route(destinationAddress: $0.address, subnetMask: $0.mask)
            }
            settings.ipv4Settings = ipv4
        }
        if !six.isEmpty {
            // The system takes no address with a longer prefix that is not a whole one (120 works).
            let ipv6 = NEIPv6Settings(
                addresses: six.map(\.address), networkPrefixLengths: six.map { NSNumber(value: min($0.prefix, 120)) })
            ipv6.includedRoutes = routes.filter(\.isV6).map {
                $0.prefix == 0
                    ? .default()
                    : NEIPv6Route(destinationAddress: $0.address, networkPrefixLength: NSNumber(value: $0.prefix))
            }
            settings.ipv6Settings = ipv6
        }
        if !dnsServers.isEmpty {
            let dns = NEDNSSettings(servers: dnsServers)
            // All names are asked for in the tunnel.
            dns.matchDomains = [""]
            dns.searchDomains = searchDomains
            settings.dnsSettings = dns
        }
        return settings
    }
}

extension IPNetwork {
    var isV6: Bool { address.contains(":") }

    /// The prefix of IPv4 as a mask.
    var mask: String {
        let bits: UInt32 = prefix == 0 ? 0 : UInt32.max << (32 - UInt32(min(prefix, 32)))
        return [24, 16, 8, 0].map { "\(bits >> $0 & 255)" }.joined(separator: ".")
    }
}
