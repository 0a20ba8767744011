package org.underpass.tunnel.service

import android.net.NetworkCapabilities
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import java.net.InetSocketAddress
import kotlin.test.assertEquals
import kotlin.test.assertIs

/** What happens below: callbacks of the system, and what becomes of them. */
@RunWith(RobolectricTestRunner::class)
@Config(shadows = [ShadowVpnBuilder::class, RecordingVpnService::class, ShadowDescriptor::class])
class NetworkTest {
    private val state get() = UnderpassVpnService.state.value
    private val plane get() = TestVpnService.planes.last()

    @Before
    @After
    fun reset() = TestVpnService.reset()

    private fun rebound(times: Int) {
        eventually("rebound") { plane.rebound >= times }
        assertEquals(times, plane.rebound)
    }

    @Test
    fun `calls without news change nothing`() {
        TestVpnService.running()
        arrives(network(1), capabilities(), link("10.0.0.5/24"))
        assertEquals(0, plane.rebound, "the sockets were just made")
        repeat(3) { arrives(network(1), capabilities(), link("10.0.0.5/24")) }
        val validated = capabilities(NetworkCapabilities.NET_CAPABILITY_VALIDATED)
        arrives(network(1), validated, link("10.0.0.5/24"))
        settle()
        assertEquals(0, plane.rebound)
        arrives(network(1), capabilities(), link("10.0.0.6/24"))
        rebound(1)
    }

    @Test
    fun `another network is another way out, and a flap in between is no loss`() {
        TestVpnService.running()
        arrives(network(1), capabilities(), link("10.0.0.5/24"))
        callbacks().single().onLost(network(1))
        arrives(network(2), capabilities(), link("100.64.0.5/32", name = "rmnet0"))
        rebound(1)
        assertIs<VpnState.Running>(state)
        assertEquals(listOf(network(2)), RecordingVpnService.below.last())
    }

    @Test
    fun `without a network it says so, keeps the interface, and goes on when there is one`() {
        TestVpnService.running()
        settle()
        assertEquals<VpnState>(VpnState.NoNetwork, state)
        assertEquals(emptyList(), RecordingVpnService.below.last())
        arrives(network(1), capabilities(), link("10.0.0.5/24"))
        assertIs<VpnState.Running>(state)
        callbacks().single().onLost(network(1))
        settle()
        assertEquals<VpnState>(VpnState.NoNetwork, state)
        assertEquals(true, FakePlane.isOpen(plane.tun))
    }

    @Test
    fun `a captive portal is told, and nothing is tried over and over`() {
        TestVpnService.running()
        val portal = capabilities(NetworkCapabilities.NET_CAPABILITY_CAPTIVE_PORTAL)
        arrives(network(1), portal, link("10.0.0.5/24"))
        assertEquals<VpnState>(VpnState.CaptivePortal, state)
        val handshakes = UnderpassVpnService.tunnel.value!!.statistics().handshakes
        repeat(5) { arrives(network(1), portal, link("10.0.0.5/24")) }
        assertEquals(0 to handshakes, plane.rebound to UnderpassVpnService.tunnel.value!!.statistics().handshakes)
        arrives(network(1), capabilities(), link("10.0.0.5/24"))
        assertIs<VpnState.Running>(state)
    }

    @Test
    fun `where there is only IPv6 the endpoint is the translated one, and elsewhere as it was`() {
        TestVpnService.running()
        fun endpoint() = UnderpassVpnService.tunnel.value!!.statistics().peers.single().endpoint
        val ipv6 = link("2001:db8::5/64", name = "rmnet0").apply {
            nat64Prefix = android.net.IpPrefix(java.net.InetAddress.getByName("64:ff9b::"), 96)
        }
        arrives(network(1), capabilities(), ipv6)
        eventually("translated") { endpoint() == InetSocketAddress("64:ff9b::c000:201", 51820) }
        arrives(network(2), capabilities(), link("10.0.0.5/24"))
        eventually("as it was") { endpoint() == InetSocketAddress("192.0.2.1", 51820) }
    }

    @Test
    fun `a socket that cannot be protected after a change blocks, and the next change mends`() {
        TestVpnService.running()
        arrives(network(1), capabilities(), link("10.0.0.5/24"))
        RecordingVpnService.answer = false
        arrives(network(2), capabilities(), link("10.0.1.5/24"))
        eventually("blocked") { state is VpnState.Blocked }
        RecordingVpnService.answer = true
        arrives(network(3), capabilities(), link("10.0.2.5/24"))
        eventually("mended") { state is VpnState.Running }
        assertEquals(2, TestVpnService.planes.size)
    }
}
