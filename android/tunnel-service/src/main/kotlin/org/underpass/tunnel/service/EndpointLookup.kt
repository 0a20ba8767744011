package org.underpass.tunnel.service

import android.net.Network
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runInterruptible
import org.underpass.tunnel.EndpointResolver
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.PublicKey
import java.net.Inet4Address
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.UnknownHostException

/** Finds where endpoints are, through the network below: by way of the tunnel, a name would need the tunnel that it is for. */
internal class EndpointLookup(
    private val path: () -> NetworkFacts.Path?,
    private val ask: (Network, String) -> Array<InetAddress> = Network::getAllByName,
) : EndpointResolver {
    private val discovered = HashMap<NetworkFacts.Path, Nat64?>()

    override suspend fun resolve(host: String): List<InetAddress> {
        val path = path() ?: throw UnknownHostException("there is no network")
        return runInterruptible(Dispatchers.IO) { reachable(path, ask(path.network, host).toList()) }
    }

    /** Where peers whose endpoint is an IPv4 address are reached on this network: there, or by translation. */
    suspend fun literals(path: NetworkFacts.Path, config: TunnelConfig): Map<PublicKey, InetSocketAddress> {
        val literals = config.peers.mapNotNull { peer ->
            peer.endpoint?.let { end -> end.address?.takeIf { it is Inet4Address }?.let { peer.publicKey to InetSocketAddress(it, end.port) } }
        }
        if (literals.isEmpty()) return emptyMap()
        return runInterruptible(Dispatchers.IO) {
            literals.associate { (key, end) -> key to InetSocketAddress(reachable(path, listOf(end.address)).first(), end.port) }
        }
    }

    private fun reachable(path: NetworkFacts.Path, addresses: List<InetAddress>): List<InetAddress> {
        if (!path.isIpv6Only || addresses.any { it !is Inet4Address }) return addresses
        val nat64 = nat64Of(path) ?: return addresses
        return addresses.map(nat64::translate)
    }

    /** Before API 30 the system does not tell; the network's own name server does. */
    private fun nat64Of(path: NetworkFacts.Path): Nat64? = path.nat64 ?: synchronized(discovered) {
        discovered.getOrPut(path) {
            discovered.clear()
            try {
                Nat64.discovered(ask(path.network, Nat64.WELL_KNOWN_NAME).toList())
            } catch (_: UnknownHostException) {
                null
            }
        }
    }
}
