package org.underpass.tunnel

import java.net.Inet4Address
import java.net.Inet6Address
import java.net.InetAddress

/** An IP address with the length of its network's prefix. Bits behind the prefix are kept: an interface has an address in a network. */
public data class InetNetwork(public val address: InetAddress, public val prefix: Int) {
    init {
        require(prefix in 0..bits) { "a prefix of $prefix bits is too long" }
    }

    /** Bits of an address of this family: 32 or 128. */
    public val bits: Int get() = address.address.size * 8

    public val isIpv4: Boolean get() = address is Inet4Address

    /** The same network with the bits behind the prefix cleared, as routes want it. */
    public fun masked(): InetNetwork {
        val bytes = address.address
        for (index in bytes.indices) {
            val kept = (prefix - index * 8).coerceIn(0, 8)
            bytes[index] = (bytes[index].toInt() and (0xff00 shr kept)).toByte()
        }
        return InetNetwork(InetAddress.getByAddress(bytes), prefix)
    }

    /** Whether all of [other] lies in it. */
    public operator fun contains(other: InetNetwork): Boolean =
        bits == other.bits && prefix <= other.prefix && InetNetwork(other.address, prefix).masked().address == masked().address

    public operator fun contains(other: InetAddress): Boolean = InetNetwork(other, other.address.size * 8) in this

    override fun toString(): String = "${address.hostAddress}/$prefix"

    public companion object {
        /** The network that a text such as `10.0.0.0/8` or `fd00::1` says; without a prefix, one address. Never asks a name server. */
        @JvmStatic
        public fun parse(text: String): InetNetwork {
            val address = parseAddress(text.substringBefore('/'))
            val prefix = text.substringAfter('/', "${address.address.size * 8}")
            return InetNetwork(address, requireNotNull(prefix.toIntOrNull()?.takeIf { prefix.all(Char::isDigit) }) { "no prefix: $prefix" })
        }

        /** The address that a text such as `10.0.0.1` or `fd00::1` says. Never asks a name server. */
        @JvmStatic
        public fun parseAddress(text: String): InetAddress {
            val numeric = if (':' in text) text.all { it in HEX || it == ':' || it == '.' } else IPV4.matches(text)
            require(numeric) { "no IP address" }
            val address = InetAddress.getByName(text)
            // The platform makes IPv4 of ::ffff:a.b.c.d; it stays what was said.
            if (address !is Inet4Address || ':' !in text) return address
            val mapped = ByteArray(10) + byteArrayOf(-1, -1) + address.address
            return Inet6Address.getByAddress(null, mapped, -1)
        }

        private const val HEX = "0123456789abcdefABCDEF"
        private val IPV4 = Regex("""\d{1,3}(\.\d{1,3}){3}""")
    }
}
