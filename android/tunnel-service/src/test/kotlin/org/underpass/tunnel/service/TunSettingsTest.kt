package org.underpass.tunnel.service

import org.junit.Test
import org.underpass.tunnel.InetNetwork
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue

class TunSettingsTest {
    private fun settings(policy: TunPolicy = TunPolicy(), api33: Boolean = true, edit: (String) -> String = { it }) =
        TunSettings.of(config(edit), policy, canExcludeRoutes = api33)

    private fun List<InetNetwork>.holds(address: String) = any { InetNetwork.parseAddress(address) in it }

    @Test
    fun `a full tunnel has both families, name servers and no way around`() {
        val full = settings(TunPolicy(allowBypass = true))
        assertEquals(listOf("0.0.0.0/0", "::/0").map(InetNetwork::parse), full.routes)
        assertEquals(listOf(InetNetwork.parseAddress("10.7.0.1")) to listOf("corp.example"), full.dns to full.searchDomains)
        assertEquals(Triple(true, false, emptyList()), Triple(full.isFull, full.allowBypass, full.warnings))
        assertEquals(full, settings(TunPolicy(allowBypass = true)))
        assertNotEquals(full, settings(TunPolicy(session = "other")))
        assertTrue(settings { it.replace("0.0.0.0/0, ::/0", "0.0.0.0/1, 128.0.0.0/1, ::/0") }.isFull)
    }

    @Test
    fun `half an IPv6 is none at all and goes nowhere`() {
        for (half in listOf(
            settings { it.replace(", ::/0", "") },
            settings { it.replace(", fd07::2/128", "") },
            settings { it.replace(", ::/0", "").replace(", fd07::2/128", "") },
            settings { it.replace(", ::/0", ", 2000::/3") },
        )) {
            assertTrue(InetNetwork.parse("::/0") in half.routes, "$half")
            assertTrue(half.addresses.any { !it.isIpv4 }, "$half")
            assertTrue(half.warnings.isNotEmpty())
        }
        val mirrored = settings { it.replace("0.0.0.0/0, ", "").replace("10.7.0.2/32, ", "") }
        assertTrue(InetNetwork.parse("0.0.0.0/0") in mirrored.routes && mirrored.addresses.any { it.isIpv4 })
    }

    @Test
    fun `a tunnel to some networks leaves the rest alone, but routes no family without an address`() {
        val split = settings(TunPolicy(allowBypass = true)) { it.replace("0.0.0.0/0, ::/0", "10.0.0.0/8").replace(", fd07::2/128", "").replace("DNS", "#DNS") }
        assertFalse(split.isFull)
        assertTrue(split.allowBypass)
        assertEquals(listOf(InetNetwork.parse("10.0.0.0/8")) to emptyList(), split.routes to split.dns)
        val half = settings { it.replace("0.0.0.0/0, ::/0", "10.0.0.0/8, fd00::/8").replace(", fd07::2/128", "") }
        assertTrue(half.addresses.any { !it.isIpv4 })
    }

    @Test
    fun `without a usable name server a full tunnel asks nobody`() {
        for (edit in listOf<(String) -> String>({ it.replace("DNS", "#DNS") }, { it.replace("10.7.0.1, corp.example", "127.0.0.1") })) {
            val settings = settings(edit = edit)
            assertEquals(listOf(InetNetwork.parseAddress("192.0.2.1")), settings.dns)
            assertTrue(settings.warnings.any { "name server" in it })
        }
    }

    @Test
    fun `the MTU is what is said, 1280 when nothing is, and never too small for IPv6`() {
        fun mtu(line: String, noIpv6: Boolean = false) =
            settings { it.replace("[Peer]", "$line\n[Peer]").let { text -> if (noIpv6) text.replace(", fd07::2/128", "").replace("0.0.0.0/0, ::/0", "10.0.0.0/8") else text } }
        assertEquals(1280, mtu("").mtu)
        assertEquals(1420, mtu("MTU = 1420").mtu)
        val raised = mtu("MTU = 1200")
        assertEquals(1280, raised.mtu)
        assertTrue(raised.warnings.any { "MTU" in it })
        assertEquals(1200, mtu("MTU = 1200", noIpv6 = true).mtu)
    }

    @Test
    fun `both lists of applications at once are an error, a list of the user's replaces`() {
        val error = assertFailsWith<VpnException> { settings(TunPolicy(includedApps = setOf("a"), excludedApps = setOf("b"))) }
        assertEquals(VpnError.APPS_BOTH_LISTS, error.error)
        val excluding = { text: String -> text.replace("[Peer]", "ExcludedApplications = org.a\n[Peer]") }
        assertEquals(setOf("org.a"), settings(edit = excluding).excludedApps)
        assertEquals(setOf("org.b"), settings(TunPolicy(includedApps = setOf("org.b"), excludedApps = emptySet()), edit = excluding).includedApps)
    }

    @Test
    fun `the local network stays outside, but not what the tunnel is about`() {
        val wanted = TunPolicy(excludeLocalNetworks = true)
        val older = settings(wanted, api33 = false)
        assertEquals(emptyList(), older.excludedRoutes)
        for (outside in listOf("192.168.1.1", "10.8.0.1", "172.20.0.1", "224.0.0.251", "fe80::1", "fd08::1", "ff02::fb")) assertFalse(older.routes.holds(outside), outside)
        for (inside in listOf("9.9.9.9", "10.7.0.1", "10.7.0.2", "fd07::2", "2001:db8::1", "192.169.0.1")) assertTrue(older.routes.holds(inside), inside)
        val newer = settings(wanted, api33 = true)
        assertEquals(listOf("0.0.0.0/0", "::/0").map(InetNetwork::parse), newer.routes)
        for (outside in listOf("192.168.1.1", "10.8.0.1", "fe80::1")) assertTrue(newer.excludedRoutes.holds(outside), outside)
        for (inside in listOf("9.9.9.9", "10.7.0.1", "fd07::2")) assertFalse(newer.excludedRoutes.holds(inside), inside)
        assertTrue(newer.isFull && older.isFull)
    }

    @Test
    fun `without an address there is no interface`() {
        assertEquals(VpnError.NO_ADDRESS, assertFailsWith<VpnException> { settings { it.replace("Address", "#Address").replace("0.0.0.0/0, ::/0", "") } }.error)
    }
}
