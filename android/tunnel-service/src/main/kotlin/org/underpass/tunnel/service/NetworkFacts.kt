package org.underpass.tunnel.service

import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.os.Build
import org.underpass.tunnel.InetNetwork
import java.net.Inet4Address
import java.net.InetAddress

/** What counts of the network below. Two that are equal are no change, however often the system calls. */
internal data class NetworkFacts(val path: Path, val isMetered: Boolean, val isCaptivePortal: Boolean) {
    /** What sockets and endpoints depend on. */
    data class Path(
        val network: Network,
        val interfaceName: String?,
        val addresses: Set<InetAddress>,
        val dns: List<InetAddress>,
        val nat64: Nat64?,
    ) {
        /** Whether IPv4 goes by translation alone. */
        val isIpv6Only: Boolean get() = addresses.isNotEmpty() && addresses.none { it is Inet4Address }
    }

    companion object {
        fun of(network: Network, capabilities: NetworkCapabilities, link: LinkProperties) = NetworkFacts(
            path = Path(
                network = network,
                interfaceName = link.interfaceName,
                addresses = link.linkAddresses.map { it.address }.filterNot { it.isLinkLocalAddress || it.isLoopbackAddress }.toSet(),
                dns = link.dnsServers.toList(),
                nat64 = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) nat64Of(link) else null,
            ),
            isMetered = !capabilities.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED),
            isCaptivePortal = capabilities.hasCapability(NetworkCapabilities.NET_CAPABILITY_CAPTIVE_PORTAL),
        )

        @android.annotation.TargetApi(Build.VERSION_CODES.R)
        private fun nat64Of(link: LinkProperties): Nat64? =
            link.nat64Prefix?.let { Nat64.of(InetNetwork(it.address, it.prefixLength)) }
    }
}
