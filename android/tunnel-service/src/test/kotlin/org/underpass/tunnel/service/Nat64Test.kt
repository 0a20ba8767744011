package org.underpass.tunnel.service

import kotlinx.coroutines.runBlocking
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.underpass.tunnel.InetNetwork
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.UnknownHostException
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull

@RunWith(RobolectricTestRunner::class)
class Nat64Test {
    private fun address(text: String) = InetNetwork.parseAddress(text)

    private fun path(vararg addresses: String, nat64: String? = null) = NetworkFacts.Path(
        network(1), "wlan0", addresses.map(::address).toSet(), emptyList(), nat64?.let { Nat64.of(InetNetwork.parse(it)) },
    )

    /** RFC 6052, section 2.4. */
    @Test
    fun `every length of prefix has its translation`() {
        val table = mapOf(
            "2001:db8::/32" to "2001:db8:c000:221::",
            "2001:db8:100::/40" to "2001:db8:1c0:2:21::",
            "2001:db8:122::/48" to "2001:db8:122:c000:2:2100::",
            "2001:db8:122:300::/56" to "2001:db8:122:3c0:0:221::",
            "2001:db8:122:344::/64" to "2001:db8:122:344:c0:2:2100::",
            "2001:db8:122:344::/96" to "2001:db8:122:344::c000:221",
        )
        for ((prefix, expected) in table) {
            assertEquals(address(expected), Nat64.of(InetNetwork.parse(prefix))!!.translate(address("192.0.2.33")), prefix)
        }
        assertNull(Nat64.of(InetNetwork.parse("2001:db8::/33")))
        assertNull(Nat64.of(InetNetwork.parse("10.0.0.0/32")))
        assertEquals(address("::1"), Nat64(InetNetwork.parse("64:ff9b::/96")).translate(address("::1")))
    }

    @Test
    fun `the prefix is found in what the well-known name resolves to`() {
        for (prefix in listOf("64:ff9b::/96", "2001:db8:122:344::/64", "2001:db8::/32")) {
            val nat = Nat64.of(InetNetwork.parse(prefix))!!
            assertEquals(nat, Nat64.discovered(listOf(nat.translate(address("192.0.0.171")))), prefix)
        }
        assertNull(Nat64.discovered(listOf(address("192.0.0.170"), address("2001:db8::1"))))
    }

    @Test
    fun `an IPv4 literal is translated where there is only IPv6, and nowhere else`() = runBlocking<Unit> {
        val key = config().peers.single().publicKey
        suspend fun where(path: NetworkFacts.Path, ask: (String) -> Array<InetAddress> = { error("not asked") }) =
            EndpointLookup({ path }, { _, name -> ask(name) }).literals(path, config())[key]
        assertEquals(InetSocketAddress(address("64:ff9b::c000:201"), 51820), where(path("2001:db8::5", nat64 = "64:ff9b::/96")))
        assertEquals(InetSocketAddress(address("192.0.2.1"), 51820), where(path("2001:db8::5", "10.0.0.5", nat64 = "64:ff9b::/96")))
        assertEquals(InetSocketAddress(address("192.0.2.1"), 51820), where(path("10.0.0.5")))
        // Before API 30 the network's name server says it.
        val found = where(path("2001:db8::5")) { name ->
            assertEquals("ipv4only.arpa", name)
            arrayOf(address("2001:db8:64::c000:aa"))
        }
        assertEquals(InetSocketAddress(address("2001:db8:64::c000:201"), 51820), found)
        assertEquals(InetSocketAddress(address("192.0.2.1"), 51820), where(path("2001:db8::5")) { throw UnknownHostException(it) })
    }

    @Test
    fun `names are asked of the network below, and their IPv4 addresses translated too`() = runBlocking<Unit> {
        val asked = mutableListOf<String>()
        var below: NetworkFacts.Path? = path("2001:db8::5", nat64 = "64:ff9b::/96")
        val lookup = EndpointLookup({ below }, { network, name -> asked += "$name by $network"; arrayOf(address("192.0.2.1")) })
        assertEquals(listOf(address("64:ff9b::c000:201")), lookup.resolve("vpn.example"))
        assertEquals(listOf("vpn.example by ${network(1)}"), asked)
        below = path("10.0.0.5")
        assertEquals(listOf(address("192.0.2.1")), lookup.resolve("vpn.example"))
        below = null
        assertFailsWith<UnknownHostException> { lookup.resolve("vpn.example") }
    }
}
