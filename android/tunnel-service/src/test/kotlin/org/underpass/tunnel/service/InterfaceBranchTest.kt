package org.underpass.tunnel.service

import android.app.Notification
import android.content.pm.PackageInfo
import android.content.pm.ServiceInfo
import android.net.NetworkCapabilities
import android.os.Build
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.underpass.tunnel.InetNetwork
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** What differs between versions of Android, on both sides of API 33 and of API 34. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [Config.ALL_SDKS], shadows = [ShadowVpnBuilder::class, RecordingVpnService::class, ShadowDescriptor::class])
class InterfaceBranchTest {
    private val whole = listOf("0.0.0.0/0", "::/0").map(InetNetwork::parse)

    @Before
    @After
    fun reset() = TestVpnService.reset()

    @Test
    fun `the builder gets addresses, routes, name servers and the MTU`() {
        TestVpnService.running()
        assertEquals(listOf("10.7.0.2/32", "fd07::2/128").map(InetNetwork::parse), networks("addresses"))
        assertEquals(whole, networks("routes"))
        assertEquals(listOf("10.7.0.1") to listOf("corp.example"), made("dnsServers") to made("searchDomains"))
        assertEquals(1280, setting<Int>("mtu"))
        assertFalse(setting<Boolean>("isMetered"))
        assertFalse(setting<Boolean>("blocking"))
        assertFalse(setting<Boolean>("allowBypass"))
    }

    @Test
    fun `the local network is excluded by the system from API 33 on, by routes before`() {
        TestVpnService.policy = TunPolicy(excludeLocalNetworks = true)
        TestVpnService.running()
        val (routes, thrown) = networks("routes") to networks("routes", thrown = true)
        val printer = InetNetwork.parseAddress("192.168.0.9")
        if (Build.VERSION.SDK_INT >= 33) {
            assertEquals(whole, routes)
            assertTrue(thrown.any { printer in it }, "$thrown")
        } else {
            assertEquals(emptyList(), thrown)
            assertTrue(routes.size > 10 && routes.none { printer in it }, "$routes")
        }
    }

    @Test
    fun `families that a tunnel to some networks does not mention are left alone`() {
        TestVpnService.wanted = config { it.replace("0.0.0.0/0, ::/0", "10.0.0.0/8") }
        TestVpnService.running()
        assertTrue(setting<Boolean>("allowIPv4") && setting<Boolean>("allowIPv6"))
    }

    @Test
    fun `applications are included or excluded, and unknown ones are skipped with a warning`() {
        shadowOf(application.packageManager).installPackage(PackageInfo().apply { packageName = "org.here"; applicationInfo = android.content.pm.ApplicationInfo().also { it.packageName = "org.here" } })
        TestVpnService.policy = TunPolicy(excludedApps = setOf("org.here", "org.gone"))
        val service = TestVpnService.running()
        assertEquals(listOf("org.here"), made("disallowedApplications"))
        eventually("warned") { UnderpassVpnService.warnings.value.any { "org.gone" in it } }
        TestVpnService.policy = TunPolicy(includedApps = setOf("org.here"))
        service.startCommand(0, 2)
        eventually("another interface") { ShadowVpnBuilder.configs.size == 2 }
        assertEquals(listOf("org.here"), made("allowedApplications"))
    }

    @Test
    fun `the foreground has the type of API 34, and none before`() {
        TestVpnService.notification = Notification()
        TestVpnService.running()
        val type = if (Build.VERSION.SDK_INT >= 34) ServiceInfo.FOREGROUND_SERVICE_TYPE_SYSTEM_EXEMPTED else -1
        assertTrue(RecordingVpnService.entered.isNotEmpty())
        assertEquals(setOf(type), RecordingVpnService.entered.toSet())
    }

    @Test
    fun `the network below is followed and told, not the VPN itself`() {
        val service = TestVpnService.running()
        assertEquals(1, callbacks().size)
        arrives(network(7), capabilities(NetworkCapabilities.NET_CAPABILITY_NOT_METERED), link("10.0.0.5/24"))
        assertEquals(listOf(network(7)), RecordingVpnService.below.last())
        TestVpnService.destroy(service)
        assertEquals(0, callbacks().size)
    }
}
