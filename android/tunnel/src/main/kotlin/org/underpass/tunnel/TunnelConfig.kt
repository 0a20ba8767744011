package org.underpass.tunnel

import org.underpass.tunnel.internal.asking
import org.underpass.tunnel.internal.toFacade
import java.net.InetAddress
import org.underpass.tunnel.internal.Configuration as CoreConfiguration

/**
 * What a wg-quick text says. It does not change; [toBuilder] begins another one. What is read and written again stays complete,
 * also keys that have no property here.
 */
public class TunnelConfig internal constructor(internal val core: CoreConfiguration) {
    private val said = core.interfaceSection()

    /** Our private key. A tunnel without one drops everything. */
    public val privateKey: PrivateKey? get() = said.privateKey?.let(::PrivateKey)

    /** Addresses of the virtual interface. */
    public val addresses: List<InetNetwork> = said.addresses.map { it.toFacade() }

    /** Name servers. */
    public val dns: List<InetAddress> = said.dns.map(InetNetwork::parseAddress)

    public val searchDomains: List<String> = said.searchDomains

    /** Bytes of the largest packet; `null`: not said. */
    public val mtu: Int? = said.mtu?.toInt()

    /** The UDP port to send from; `null`: any. */
    public val listenPort: Int? = said.listenPort?.toInt()?.takeIf { it != 0 }

    /** Packages of the applications that use the tunnel; empty: all. */
    public val includedApps: List<String> = said.includedApplications

    /** Packages of the applications that do not use the tunnel. */
    public val excludedApps: List<String> = said.excludedApplications

    public val peers: List<PeerConfig> = core.peers().map { it.toFacade() }

    /** What is odd in the text. None of it is an error. */
    public val warnings: List<ConfigDiagnostic> = core.diagnostics().map { it.toFacade() }

    /** How many more warnings there were than [warnings] lists. Most often 0. */
    public val moreWarnings: Long get() = core.moreDiagnostics().toLong()

    /** The wg-quick text. It holds the private key: keep it where secrets are kept, and out of logs. */
    public fun toText(): String = core.toText()

    /** A builder that has all that this configuration says. */
    public fun toBuilder(): TunnelConfigBuilder = TunnelConfigBuilder(this)

    override fun equals(other: Any?): Boolean = other is TunnelConfig && (this === other || toText() == other.toText())

    override fun hashCode(): Int = (addresses to peers.map { it.publicKey }).hashCode()

    /** Without keys and whatever else could be a secret. */
    override fun toString(): String = "TunnelConfig(addresses=$addresses, dns=$dns, mtu=$mtu, peers=${peers.size})"

    public companion object {
        /**
         * Reads a text in the dialect of wg-quick, of `wg setconf` and of phone applications. A text with errors is refused as a
         * [ConfigException], which has line, column, section, key and reason of each.
         */
        @JvmStatic
        public fun parse(text: String): TunnelConfig = asking { TunnelConfig(CoreConfiguration.parse(text)) }

        /** A configuration from scratch. */
        public inline fun build(fill: TunnelConfigBuilder.() -> Unit): TunnelConfig = TunnelConfigBuilder().apply(fill).build()
    }
}

/** What a `[Peer]` section says. */
public data class PeerConfig @JvmOverloads constructor(
    public val publicKey: PublicKey,
    /** The networks that are routed to it, and from which its packets may come. */
    public val allowedIps: List<InetNetwork> = emptyList(),
    /** Where it is reached; `null`: from where it is heard first. */
    public val endpoint: PeerEndpoint? = null,
    public val presharedKey: PresharedKey? = null,
    /** Seconds between persistent keepalives; 0: none. */
    public val persistentKeepalive: Int = 0,
)

/** A host, by name or by address, and its UDP port. */
public data class PeerEndpoint(public val host: String, public val port: Int) {
    /** The address, where [host] is one and not a name. */
    public val address: InetAddress? get() = runCatching { InetNetwork.parseAddress(host) }.getOrNull()

    override fun toString(): String = if (':' in host) "[$host]:$port" else "$host:$port"
}
