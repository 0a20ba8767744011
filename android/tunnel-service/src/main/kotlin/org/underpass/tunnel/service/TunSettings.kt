package org.underpass.tunnel.service

import org.underpass.tunnel.InetNetwork
import org.underpass.tunnel.TunnelConfig
import java.net.InetAddress

/** All that the virtual interface is made with. Two that are equal need no new interface. */
public data class TunSettings internal constructor(
    public val session: String,
    public val mtu: Int,
    public val addresses: List<InetNetwork>,
    public val routes: List<InetNetwork>,
    /** Routes that are excluded by the system's own means, from API 33 on; else [routes] leave them out. */
    public val excludedRoutes: List<InetNetwork>,
    /** Whether all traffic is for the tunnel, but for what is excluded. */
    public val isFull: Boolean,
    public val dns: List<InetAddress>,
    public val searchDomains: List<String>,
    public val includedApps: Set<String>,
    public val excludedApps: Set<String>,
    public val metered: Boolean?,
    public val allowBypass: Boolean,
    /** What was left out or added so that nothing leaks, to be shown. */
    public val warnings: List<String>,
) {
    internal companion object {
        /** IPv6 needs 1280 (RFC 8200, section 5); below it the system refuses an interface with IPv6. */
        const val MIN_MTU_IPV6 = 1280
        const val DEFAULT_MTU = 1280

        /** A name server that does not exist (RFC 5737): without any, the system would ask those of the network below. */
        private val NOBODY = InetNetwork.parseAddress("192.0.2.1")

        /** An address nobody has (RFC 6666), so that IPv6 goes into the tunnel, and ends there, instead of around it. */
        private val DISCARD = InetNetwork.parse("100::1/128")
        private val DISCARD_IPV4 = InetNetwork.parse("192.0.0.8/32")
        private val ALL_IPV4 = InetNetwork.parse("0.0.0.0/0")
        private val ALL_IPV6 = InetNetwork.parse("::/0")

        /** Settings for a configuration. [canExcludeRoutes]: the system can (API 33). What cannot be is a [VpnException]. */
        fun of(config: TunnelConfig, policy: TunPolicy, canExcludeRoutes: Boolean): TunSettings {
            val warnings = mutableListOf<String>()
            val included = policy.includedApps ?: config.includedApps.toSet()
            val excluded = policy.excludedApps ?: config.excludedApps.toSet()
            if (included.isNotEmpty() && excluded.isNotEmpty()) throw VpnException(VpnError.APPS_BOTH_LISTS)

            val wanted = Routes.simplified(config.peers.flatMap { it.allowedIps })
            val (addresses, routes) = bothFamilies(config.addresses, wanted, warnings)
            if (addresses.isEmpty()) throw VpnException(VpnError.NO_ADDRESS)
            val holes = if (policy.excludeLocalNetworks) kept(routes, config) else emptyList()
            val full = routes.any { it.prefix == 0 }
            return TunSettings(
                session = policy.session,
                mtu = mtu(config.mtu, addresses, warnings),
                addresses = addresses,
                routes = if (canExcludeRoutes) routes else Routes.without(routes, holes),
                excludedRoutes = if (canExcludeRoutes) holes else emptyList(),
                isFull = full,
                dns = dns(config.dns, full, warnings),
                searchDomains = config.searchDomains,
                includedApps = included,
                excludedApps = excluded,
                metered = policy.metered,
                allowBypass = policy.allowBypass && !full,
                warnings = warnings,
            )
        }

        /**
         * Never half a family: routes without an address do not work, and a full tunnel of one family lets the other around it.
         * What is missing is filled with an address that leads nowhere.
         */
        private fun bothFamilies(
            addresses: List<InetNetwork>,
            routes: List<InetNetwork>,
            warnings: MutableList<String>,
        ): Pair<List<InetNetwork>, List<InetNetwork>> {
            val allAddresses = addresses.toMutableList()
            val allRoutes = routes.toMutableList()
            for (ipv4 in listOf(true, false)) {
                val other = allRoutes.any { it.isIpv4 != ipv4 && it.prefix == 0 }
                val all = if (ipv4) ALL_IPV4 else ALL_IPV6
                val name = if (ipv4) "IPv4" else "IPv6"
                if (other && all !in allRoutes) {
                    allRoutes.removeAll { it.isIpv4 == ipv4 }
                    allRoutes += all
                    warnings += "$name is not routed by the configuration; it is blocked, so that it does not go around the tunnel"
                }
                val routed = allRoutes.any { it.isIpv4 == ipv4 }
                if (routed && allAddresses.none { it.isIpv4 == ipv4 }) {
                    allAddresses += if (ipv4) DISCARD_IPV4 else DISCARD
                    warnings += "$name is routed but the interface has no such address; it is blocked"
                }
            }
            return allAddresses to allRoutes
        }

        /** Local networks, but for those that the tunnel itself is about: its own, and routes that lie in them. */
        private fun kept(routes: List<InetNetwork>, config: TunnelConfig): List<InetNetwork> {
            val ours = (config.addresses.map { it.masked() } + config.dns.map { InetNetwork(it, it.address.size * 8) })
                .filter { network -> routes.any { network in it } } + routes.filter { it.prefix != 0 }
            return Routes.without(Routes.LOCAL.filter { hole -> routes.any { hole in it } }, ours)
        }

        private fun mtu(said: Int?, addresses: List<InetNetwork>, warnings: MutableList<String>): Int {
            val mtu = said ?: DEFAULT_MTU
            if (mtu >= MIN_MTU_IPV6 || addresses.all { it.isIpv4 }) return mtu
            warnings += "an MTU of $mtu is too small for IPv6; $MIN_MTU_IPV6 is used"
            return MIN_MTU_IPV6
        }

        private fun dns(said: List<InetAddress>, full: Boolean, warnings: MutableList<String>): List<InetAddress> {
            val usable = said.filterNot { it.isLoopbackAddress || it.isAnyLocalAddress || it.isMulticastAddress }
            if (usable.size < said.size) warnings += "a name server that the system does not take is left out"
            if (usable.isNotEmpty() || !full) return usable
            warnings += "there is no name server; names do not resolve, so that the network below does not see them"
            return listOf(NOBODY)
        }
    }
}
