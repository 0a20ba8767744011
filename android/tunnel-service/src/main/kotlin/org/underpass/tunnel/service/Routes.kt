package org.underpass.tunnel.service

import org.underpass.tunnel.InetNetwork
import java.net.InetAddress

/** Arithmetic of routes. Before API 33 a route cannot be excluded: all else has to be listed. */
internal object Routes {
    /** The networks of homes and offices, with link-local and multicast, which never leave them. */
    val LOCAL: List<InetNetwork> = listOf(
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
        "fc00::/7", "fe80::/10", "ff00::/8",
    ).map(InetNetwork::parse)

    /** Each network once, none that lies in another, and two halves as their whole. */
    fun simplified(networks: Collection<InetNetwork>): List<InetNetwork> {
        val left = networks.mapTo(LinkedHashSet()) { it.masked() }
        for (prefix in 128 downTo 1) {
            for (one in left.filter { it.prefix == prefix }) {
                val whole = InetNetwork(one.address, prefix - 1).masked()
                if (left.containsAll(halves(whole))) {
                    left -= halves(whole).toSet()
                    left += whole
                }
            }
        }
        return left.filterNot { one -> left.any { it != one && one in it } }
    }

    /** What is left of [networks] without [excluded]: as few networks as it takes. */
    fun without(networks: Collection<InetNetwork>, excluded: Collection<InetNetwork>): List<InetNetwork> {
        val holes = simplified(excluded)
        return simplified(networks).flatMap { cut(it, holes.filter { hole -> hole in it || it in hole }) }
    }

    private fun cut(network: InetNetwork, holes: List<InetNetwork>): List<InetNetwork> {
        if (holes.isEmpty()) return listOf(network)
        if (holes.any { network in it }) return emptyList()
        return halves(network).flatMap { half -> cut(half, holes.filter { it in half || half in it }) }
    }

    private fun halves(network: InetNetwork): List<InetNetwork> {
        val upper = network.address.address
        upper[network.prefix / 8] = (upper[network.prefix / 8].toInt() or (0x80 shr (network.prefix % 8))).toByte()
        return listOf(InetNetwork(network.address, network.prefix + 1), InetNetwork(InetAddress.getByAddress(upper), network.prefix + 1))
    }
}
