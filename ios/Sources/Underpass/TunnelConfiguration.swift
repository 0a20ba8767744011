// A configuration as a value.
import Foundation
import UnderpassBindings

/// What a wg-quick text says, as a value that can be changed. Keys are objects of the library: they are never printed, and are wiped
/// when the last reference to them is gone.
public struct TunnelConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// One peer.
    public struct Peer: Sendable, Hashable {
        public var publicKey: PublicKey
        public var presharedKey: PresharedKey?
        /// The networks that are routed to it, and from which its packets may come.
        public var allowedIPs: [IPNetwork]
        /// Where it is reached; nil: from where it is heard first.
        public var endpoint: Endpoint?
        /// Seconds; 0: none.
        public var persistentKeepalive: UInt16

        public init(
            publicKey: PublicKey, presharedKey: PresharedKey? = nil, allowedIPs: [IPNetwork] = [], endpoint: Endpoint? = nil,
            persistentKeepalive: UInt16 = 0
        ) {
            self.publicKey = publicKey
            self.presharedKey = presharedKey
            self.allowedIPs = allowedIPs
            self.endpoint = endpoint
            self.persistentKeepalive = persistentKeepalive
        }

        public static func == (one: Peer, other: Peer) -> Bool {
            one.publicKey == other.publicKey && one.allowedIPs == other.allowedIPs && one.endpoint == other.endpoint
                && one.persistentKeepalive == other.persistentKeepalive
                && one.presharedKey?.toBytes() == other.presharedKey?.toBytes()
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(publicKey)
            hasher.combine(endpoint)
        }
    }

    public var privateKey: PrivateKey?
    public var addresses: [IPNetwork]
    /// Addresses of name servers.
    public var dnsServers: [String]
    public var searchDomains: [String]
    /// Bytes of the largest packet; nil: the platform's default.
    public var mtu: UInt16?
    /// nil: any.
    public var listenPort: UInt16?
    public var peers: [Peer]
    /// What is odd in the text that it was read from. None of it is an error.
    public let warnings: [ConfigurationFinding]
    /// What it was read from: it holds the settings that phones have no use for, and those of other programs.
    private let origin: Configuration?

    public init(
        privateKey: PrivateKey?, addresses: [IPNetwork] = [], dnsServers: [String] = [], searchDomains: [String] = [],
        mtu: UInt16? = nil, listenPort: UInt16? = nil, peers: [Peer] = []
    ) {
        self.privateKey = privateKey
        self.addresses = addresses
        self.dnsServers = dnsServers
        self.searchDomains = searchDomains
        self.mtu = mtu
        self.listenPort = listenPort
        self.peers = peers
        warnings = []
        origin = nil
    }

    /// Reads a text in the dialect of wg-quick and of the phone applications.
    public init(wgQuick text: String) throws(ConfigurationError) {
        let read: Configuration
        do { read = try Configuration.parse(text: text) } catch { throw ConfigurationError(thrown: error) }
        let interface = read.interfaceSection()
        privateKey = interface.privateKey
        addresses = interface.addresses
        dnsServers = interface.dns
        searchDomains = interface.searchDomains
        mtu = interface.mtu
        listenPort = interface.listenPort
        peers = read.peers().map {
            Peer(
                publicKey: $0.publicKey, presharedKey: $0.presharedKey, allowedIPs: $0.allowedIps, endpoint: $0.endpoint,
                persistentKeepalive: $0.persistentKeepalive)
        }
        warnings = read.diagnostics().map(ConfigurationFinding.init)
        origin = read
    }

    /// The text of it. It holds the private key: keep it in the Keychain only.
    public func wgQuick() throws(ConfigurationError) -> String {
        try checked().toText()
    }

    /// The form that a tunnel takes, when it is sound.
    func checked() throws(ConfigurationError) -> Configuration {
        let was = origin?.interfaceSection()
        let interface = InterfaceConfiguration(
            privateKey: privateKey, addresses: addresses, dns: dnsServers, searchDomains: searchDomains, mtu: mtu,
            listenPort: listenPort, fwmark: was?.fwmark, table: was?.table,
            includedApplications: was?.includedApplications ?? [], excludedApplications: was?.excludedApplications ?? [],
            preUp: was?.preUp ?? [], postUp: was?.postUp ?? [], preDown: was?.preDown ?? [], postDown: was?.postDown ?? [],
            saveConfig: was?.saveConfig ?? false)
        let peers = peers.map {
            PeerConfiguration(
                publicKey: $0.publicKey, allowedIps: $0.allowedIPs, endpoint: $0.endpoint, presharedKey: $0.presharedKey,
                persistentKeepalive: $0.persistentKeepalive)
        }
        do {
            return try origin?.edited(interface: interface, peers: peers)
                ?? Configuration.build(interface: interface, peers: peers)
        } catch {
            throw ConfigurationError(thrown: error)
        }
    }

    public static func == (one: TunnelConfiguration, other: TunnelConfiguration) -> Bool {
        one.addresses == other.addresses && one.dnsServers == other.dnsServers && one.searchDomains == other.searchDomains
            && one.mtu == other.mtu && one.listenPort == other.listenPort && one.peers == other.peers
            && one.privateKey?.toBytes() == other.privateKey?.toBytes()
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(addresses)
        hasher.combine(peers)
    }

    /// Without what it says.
    public var description: String { "TunnelConfiguration(\(peers.count) peers)" }
}
