package org.underpass.tunnel.service

import android.content.Intent
import android.net.VpnService
import android.os.UserManager
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowVpnService
import org.underpass.tunnel.TunnelState
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

@RunWith(RobolectricTestRunner::class)
@Config(shadows = [ShadowVpnBuilder::class, RecordingVpnService::class, ShadowDescriptor::class])
class UnderpassVpnServiceTest {
    private val state get() = UnderpassVpnService.state.value

    @Before
    @After
    fun reset() = TestVpnService.reset()

    private fun off(): VpnError? {
        eventually("off") { state is VpnState.Off }
        return (state as VpnState.Off).cause?.error
    }

    @Test
    fun `without consent it stops, and says so`() {
        ShadowVpnService.setPrepareResult(Intent("consent"))
        assertNotNull(UnderpassVpnService.consent(application))
        val service = TestVpnService.create().startCommand(0, 1)
        assertEquals(VpnError.NOT_PREPARED, off())
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
        assertEquals(emptyList(), RecordingVpnService.entered)
        assertEquals(0, ShadowVpnBuilder.configs.size)
    }

    @Test
    fun `it runs, and what is connected is what the tunnel says`() {
        TestVpnService.running()
        assertEquals<VpnState>(VpnState.Running(TunnelState.Connecting), state)
        assertFalse(state.isConnected)
        assertEquals(listOf(false), TestVpnService.asked)
        assertEquals(listOf(100, 101), RecordingVpnService.protected)
    }

    @Test
    fun `the system's own start is told, with its intent and with none`() {
        val intent = Intent(VpnService.SERVICE_INTERFACE)
        val first = TestVpnService.create(intent).startCommand(0, 1)
        eventually("running") { UnderpassVpnService.tunnel.value != null }
        assertEquals(listOf(true), TestVpnService.asked)
        assertEquals(android.app.Service.START_STICKY, first.get().onStartCommand(null, 0, 2))
        eventually("asked again") { TestVpnService.asked == listOf(true, true) }
    }

    @Test
    fun `lesson 30, a socket that is not protected is an error before anything is sent`() {
        RecordingVpnService.answer = false
        TestVpnService.create().startCommand(0, 1)
        assertEquals(VpnError.NOT_PROTECTED, off())
        assertNull(UnderpassVpnService.tunnel.value)
        assertEquals(listOf(100), RecordingVpnService.protected)
    }

    @Test
    fun `a system that makes no interface, or refuses it, is told apart`() {
        ShadowVpnBuilder.refuse = true
        TestVpnService.create().startCommand(0, 1)
        assertEquals(VpnError.NOT_ESTABLISHED, off())
        ShadowVpnBuilder.refuse = false
        for ((refusal, error) in listOf(
            IllegalArgumentException("no") to VpnError.SETTINGS_REFUSED,
            IllegalStateException("no") to VpnError.SETTINGS_REFUSED,
            SecurityException("no") to VpnError.NOT_PREPARED,
        )) {
            ShadowVpnBuilder.refusal = refusal
            TestVpnService.create().startCommand(0, 1)
            eventually("$error") { (state as? VpnState.Off)?.cause?.error == error }
        }
        TestVpnService.wanted = null
        TestVpnService.create().startCommand(0, 1)
        eventually("nothing to run") { (state as? VpnState.Off)?.cause?.error == VpnError.NO_CONFIGURATION }
    }

    @Test
    fun `the same settings keep the interface, others get a new one before the old one closes`() {
        val service = TestVpnService.running()
        val plane = TestVpnService.planes.single()
        val tunnel = UnderpassVpnService.tunnel.value
        val first = plane.tun
        TestVpnService.wanted = config { it.replace("192.0.2.1", "192.0.2.2") }
        service.startCommand(0, 2)
        eventually("applied") { tunnel?.config?.peers?.single()?.endpoint?.host == "192.0.2.2" }
        assertEquals(1 to 0, ShadowVpnBuilder.configs.size to plane.replaced)

        TestVpnService.wanted = config { it.replace("10.7.0.1", "10.7.0.9") }
        service.startCommand(0, 3)
        eventually("replaced") { plane.replaced == 1 }
        assertEquals(listOf("10.7.0.9"), made("dnsServers"))
        assertEquals(listOf(true), plane.openWhenGivenBack, "the old one was there until the new one was")
        assertTrue(FakePlane.isOpen(plane.tun))
        assertNotEquals(first, plane.tun)
        assertFalse(FakePlane.isOpen(first))
        assertEquals(tunnel, UnderpassVpnService.tunnel.value)
        assertFalse(plane.stopped)
    }

    @Test
    fun `a change that fails leaves what runs`() {
        val service = TestVpnService.running()
        val tunnel = UnderpassVpnService.tunnel.value!!
        val before = tunnel.config
        ShadowVpnBuilder.refuse = true
        TestVpnService.wanted = config { it.replace("10.7.0.1", "10.7.0.9") }
        service.startCommand(0, 2)
        eventually("told") { UnderpassVpnService.warnings.value.any { "not_established" in it } }
        assertEquals(before, tunnel.config)
        assertIs<VpnState.Running>(state)
        assertTrue(FakePlane.isOpen(TestVpnService.planes.single().tun))
    }

    @Test
    fun `when the data plane breaks the interface stays, and a start mends it`() {
        val service = TestVpnService.running()
        val plane = TestVpnService.planes.single()
        plane.onStopped(FakePlane.made("broken pipe"))
        eventually("blocked") { state is VpnState.Blocked }
        assertEquals(VpnError.DATA_PLANE, (state as VpnState.Blocked).cause.error)
        assertTrue(FakePlane.isOpen(plane.tun), "so nothing goes around it")
        service.startCommand(0, 2)
        eventually("mended") { state is VpnState.Running }
        assertEquals(plane.tun, TestVpnService.planes.last().tun)
        assertEquals(2 to 1, TestVpnService.planes.size to ShadowVpnBuilder.configs.size)
    }

    @Test
    fun `when consent is withdrawn all ends, and it does not start again`() {
        val service = TestVpnService.running()
        val plane = TestVpnService.planes.single()
        service.get().onRevoke()
        assertEquals<VpnState>(VpnState.Revoked, state)
        assertTrue(plane.stopped)
        assertFalse(FakePlane.isOpen(plane.tun))
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
        TestVpnService.destroy(service)
        assertEquals<VpnState>(VpnState.Revoked, state)
        assertNotNull(TestVpnService.floors, "timestamps are kept")
    }

    @Test
    fun `it stops when it is told to, and is gone`() {
        val service = TestVpnService.running()
        val tun = TestVpnService.planes.single().tun
        UnderpassVpnService.stop(application, TestVpnService::class.java)
        val stop = shadowOf(application as android.app.Application).nextStartedService
        assertEquals(android.app.Service.START_NOT_STICKY, service.get().onStartCommand(stop, 0, 2))
        assertEquals(null, off())
        assertFalse(FakePlane.isOpen(tun))
        assertEquals(0, callbacks().size)
        assertTrue(UnderpassVpnService.start(application, TestVpnService::class.java))
    }

    @Test
    fun `the system's binding is the system's, another is the application's`() {
        val service = TestVpnService.create().get()
        assertNotNull(service.onBind(Intent(VpnService.SERVICE_INTERFACE)))
        assertNull(service.onBind(Intent("org.example.BIND")))
        assertNull(service.onBind(null))
    }

    @Test
    fun `a foreground that is refused ends nothing`() {
        TestVpnService.notification = android.app.Notification()
        for (refusal in listOf(SecurityException("no"), IllegalStateException("no"), IllegalArgumentException("no"))) {
            RecordingVpnService.refusal = refusal
            val service = TestVpnService.running()
            assertIs<VpnState.Running>(state)
            assertTrue(RecordingVpnService.entered.isNotEmpty(), "it was tried")
            RecordingVpnService.entered.clear()
            TestVpnService.destroy(service)
            eventually("off") { state is VpnState.Off }
        }
    }

    @Test
    fun `before the first unlock it waits, and goes on after it`() {
        val users = shadowOf(application.getSystemService(UserManager::class.java))
        users.setUserUnlocked(false)
        TestVpnService.failure = VpnException(VpnError.LOCKED)
        TestVpnService.create().startCommand(0, 1)
        eventually("waiting") { state == VpnState.WaitingForUnlock }
        TestVpnService.failure = null
        users.setUserUnlocked(true)
        application.sendBroadcast(Intent(Intent.ACTION_USER_UNLOCKED))
        eventually("running") { state is VpnState.Running }
    }

    @Test
    fun `in lockdown it is said what does not work`() {
        RecordingVpnService.lockdown = true
        TestVpnService.policy = TunPolicy(excludeLocalNetworks = true, excludedApps = setOf("org.gone"))
        TestVpnService.running()
        eventually("warned") { UnderpassVpnService.warnings.value.count { "connections without VPN" in it } == 2 }
    }
}
