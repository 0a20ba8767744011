package org.underpass.tunnel

import org.underpass.tunnel.internal.asking
import org.underpass.tunnel.internal.toCore
import java.net.InetAddress
import org.underpass.tunnel.internal.Configuration as CoreConfiguration
import org.underpass.tunnel.internal.InterfaceConfiguration as CoreInterface

/** Makes a [TunnelConfig]. The lists are those of the configuration to come: add to them, or put others in their place. */
public class TunnelConfigBuilder internal constructor(private val from: TunnelConfig?) {
    public constructor() : this(null)

    public var privateKey: PrivateKey? = from?.privateKey
    public var addresses: MutableList<InetNetwork> = from?.addresses.orEmpty().toMutableList()
    public var dns: MutableList<InetAddress> = from?.dns.orEmpty().toMutableList()
    public var searchDomains: MutableList<String> = from?.searchDomains.orEmpty().toMutableList()
    public var mtu: Int? = from?.mtu
    public var listenPort: Int? = from?.listenPort
    public var includedApps: MutableList<String> = from?.includedApps.orEmpty().toMutableList()
    public var excludedApps: MutableList<String> = from?.excludedApps.orEmpty().toMutableList()
    public var peers: MutableList<PeerConfig> = from?.peers.orEmpty().toMutableList()

    /** Adds an address with the length of its prefix, as `10.0.0.2/32`. */
    public fun address(text: String): TunnelConfigBuilder = apply { addresses.add(InetNetwork.parse(text)) }

    /** Adds a name server. */
    public fun dns(text: String): TunnelConfigBuilder = apply { dns.add(InetNetwork.parseAddress(text)) }

    /** Adds a peer. */
    public fun peer(peer: PeerConfig): TunnelConfigBuilder = apply { peers.add(peer) }

    /** The configuration. Values that no text can say are refused: [ErrorCode.ARGUMENT], [ErrorCode.MTU] and others. */
    public fun build(): TunnelConfig = asking {
        val before = from?.core?.interfaceSection() ?: CoreInterface()
        val said = before.copy(
            privateKey = privateKey?.core,
            addresses = addresses.map { it.toCore() },
            dns = dns.map { it.hostAddress!!.substringBefore('%') },
            searchDomains = searchDomains.toList(),
            mtu = mtu?.inShort(ErrorCode.MTU),
            listenPort = listenPort?.inShort(ErrorCode.ARGUMENT),
            includedApplications = includedApps.toList(),
            excludedApplications = excludedApps.toList(),
        )
        val peers = peers.map { it.toCore() }
        TunnelConfig(if (from == null) CoreConfiguration.build(said, peers) else from.core.edited(said, peers))
    }
}

internal fun Int.inShort(otherwise: ErrorCode): UShort {
    if (this !in 0..0xffff) throw TunnelException(otherwise)
    return toUShort()
}
