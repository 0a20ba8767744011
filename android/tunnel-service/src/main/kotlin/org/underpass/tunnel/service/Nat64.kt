package org.underpass.tunnel.service

import org.underpass.tunnel.InetNetwork
import java.net.Inet4Address
import java.net.Inet6Address
import java.net.InetAddress

/** The prefix under which a network that has only IPv6 reaches IPv4 (RFC 6052). */
internal data class Nat64(val prefix: InetNetwork) {
    /** The IPv6 address that stands for an IPv4 address. Any other stays. */
    fun translate(address: InetAddress): InetAddress {
        if (address !is Inet4Address) return address
        val bytes = prefix.masked().address.address
        var at = prefix.prefix / 8
        for (byte in address.address) {
            // Bits 64 to 71 stay zero.
            if (at == 8) at = 9
            bytes[at++] = byte
        }
        return Inet6Address.getByAddress(null, bytes, -1)
    }

    companion object {
        /** A name that has IPv4 addresses only: what IPv6 addresses it has, are translated ones (RFC 7050). */
        const val WELL_KNOWN_NAME = "ipv4only.arpa"
        private val LENGTHS = listOf(96, 64, 56, 48, 40, 32)
        private val WELL_KNOWN = listOf(170, 171).map { InetAddress.getByAddress(byteArrayOf(192.toByte(), 0, 0, it.toByte())) }

        fun of(prefix: InetNetwork): Nat64? = Nat64(prefix.masked()).takeIf { !prefix.isIpv4 && prefix.prefix in LENGTHS }

        /** The prefix, from what the well-known name resolved to. */
        fun discovered(addresses: Collection<InetAddress>): Nat64? = addresses.filterIsInstance<Inet6Address>().firstNotNullOfOrNull { found ->
            LENGTHS.mapNotNull { of(InetNetwork(found, it)) }.firstOrNull { nat -> WELL_KNOWN.any { nat.translate(it) == found } }
        }
    }
}
