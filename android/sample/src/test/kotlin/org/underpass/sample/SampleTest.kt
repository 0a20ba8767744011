package org.underpass.sample

import android.Manifest
import android.app.Activity
import android.app.Application
import android.app.PendingIntent
import android.content.ClipData
import android.content.ClipboardManager
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Color
import android.net.Uri
import android.os.Looper
import android.service.quicksettings.Tile
import android.service.quicksettings.TileService
import com.google.zxing.BarcodeFormat
import com.google.zxing.qrcode.QRCodeWriter
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadows.ShadowTileService
import org.robolectric.shadows.ShadowVpnService
import org.underpass.tunnel.service.ConfigStore
import org.underpass.tunnel.service.FakeKeystore
import org.underpass.tunnel.service.RecordingVpnService
import org.underpass.tunnel.service.ShadowDescriptor
import org.underpass.tunnel.service.ShadowVpnBuilder
import org.underpass.tunnel.service.TunPolicy
import org.underpass.tunnel.service.UnderpassVpnService
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

private const val TEXT = """[Interface]
PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
Address = 10.7.0.2/32

[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
AllowedIPs = 0.0.0.0/0
Endpoint = 192.0.2.1:51820
"""

/** Robolectric's tile knows no pending intents, which alone are allowed from API 34 on. */
@Implements(TileService::class)
class ClickedTile : ShadowTileService() {
    @Implementation
    protected fun startActivityAndCollapse(intent: PendingIntent) {
        opened = intent
    }

    companion object {
        var opened: PendingIntent? = null
    }
}

/** The flows of the sample, with its real resources. */
@RunWith(RobolectricTestRunner::class)
@Config(shadows = [ShadowVpnBuilder::class, RecordingVpnService::class, ShadowDescriptor::class, ClickedTile::class])
class SampleTest {
    private val application: Application get() = RuntimeEnvironment.getApplication()
    private val store get() = ConfigStore(application)

    @Before
    fun begin() {
        FakeKeystore.install()
        RecordingVpnService.clear()
        ShadowVpnService.setPrepareResult(null)
    }

    @After
    fun end() = FakeKeystore.remove()

    private fun activity(intent: Intent = Intent()) = Robolectric.buildActivity(MainActivity::class.java, intent).setup().get()

    private fun eventually(what: String, condition: () -> Boolean) {
        val end = System.nanoTime() + 120_000_000_000
        while (!condition()) {
            check(System.nanoTime() < end) { "never: $what; ${EventLog.lines.value}" }
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
    }

    private fun code(text: String): Bitmap {
        val matrix = QRCodeWriter().encode(text, BarcodeFormat.QR_CODE, 400, 400)
        val pixels = IntArray(400 * 400) { if (matrix[it % 400, it / 400]) Color.BLACK else Color.WHITE }
        return Bitmap.createBitmap(pixels, 400, 400, Bitmap.Config.ARGB_8888)
    }

    private fun zip(vararg entries: Pair<String, String>) = ByteArrayOutputStream().also { out ->
        ZipOutputStream(out).use { zip -> entries.forEach { (name, text) -> zip.putNextEntry(ZipEntry(name)); zip.write(text.toByteArray()) } }
    }.toByteArray()

    @Test
    fun `a text, a zip and what is none of them`() {
        assertNotNull(ConfigImport.of("home.conf", TEXT.toByteArray()).single().config)
        val found = ConfigImport.of("all.zip", zip("a/home.conf" to TEXT, "bad.conf" to "[Interface]\nMTU = x\n", "readme.txt" to "no", "large.conf" to "#".repeat(300_000)))
        assertEquals(listOf("home", "bad", "large.conf"), found.map { it.name })
        assertEquals(listOf(true, false, false), found.map { it.config != null })
        assertTrue("line 2" in found[1].problem!!)
        val junk = ConfigImport.of("junk", ByteArray(1000) { it.toByte() }).single()
        assertNull(junk.config)
        assertNotNull(junk.problem)
    }

    @Test
    fun `a QR code in a picture and in what a camera sees`() {
        assertEquals(TEXT, QrCode.of(code(TEXT)))
        assertNull(QrCode.of(Bitmap.createBitmap(50, 50, Bitmap.Config.ARGB_8888)))
        // Rows that are longer than the picture is wide, and a last one that ends with it.
        val matrix = QRCodeWriter().encode(TEXT, BarcodeFormat.QR_CODE, 400, 400)
        val stride = 448
        val luminance = ByteArray(stride * 399 + 400) { if (it % stride < 400 && matrix[it % stride, it / stride]) 0 else -1 }
        assertEquals(TEXT, QrCode.of(luminance, stride, 400, 400))
        assertNull(QrCode.of(ByteArray(10), stride, 400, 400))
    }

    @Test
    fun `what is imported is kept and told, from a file and from the clipboard`() {
        val main = activity()
        val uri = Uri.parse("content://files/home.conf")
        shadowOf(application.contentResolver).registerInputStream(uri, ByteArrayInputStream(TEXT.toByteArray()))
        main.importFile(uri)
        eventually("kept") { store.names() == listOf("default", "home") && EventLog.lines.value.any { "1 of 1" in it } }
        application.getSystemService(ClipboardManager::class.java)!!.setPrimaryClip(ClipData.newPlainText("", "[Peer]\nnonsense"))
        main.views.paste.performClick()
        eventually("refused with the place") { EventLog.lines.value.any { "0 of 1" in it && "line 2" in it } }
    }

    @Test
    fun `connecting asks for notifications, then for consent, then starts`() {
        ShadowVpnService.setPrepareResult(Intent("consent"))
        val main = activity()
        main.views.connect.performClick()
        assertEquals(listOf(Manifest.permission.POST_NOTIFICATIONS), shadowOf(main).lastRequestedPermission.requestedPermissions.toList())
        main.onRequestPermissionsResult(shadowOf(main).lastRequestedPermission.requestCode, emptyArray(), IntArray(0))
        val asked = shadowOf(main).nextStartedActivityForResult
        assertEquals("consent", asked.intent.action)
        ShadowVpnService.setPrepareResult(null)
        shadowOf(main).receiveResult(asked.intent, Activity.RESULT_OK, null)
        assertEquals(SampleVpnService::class.java.name, shadowOf(application).nextStartedService.component?.className)
    }

    @Test
    fun `the notification says the state, in a channel of its own`() {
        store.save(UnderpassVpnService.DEFAULT_CONFIG, org.underpass.tunnel.TunnelConfig.parse(TEXT))
        val service = Robolectric.buildService(SampleVpnService::class.java).create().startCommand(0, 1)
        assertTrue(RecordingVpnService.entered.isNotEmpty())
        val channels = shadowOf(application.getSystemService(android.app.NotificationManager::class.java)).notificationChannels
        assertEquals(1, channels.size)
        service.destroy()
    }

    @Test
    fun `applications that are chosen are those of the policy`() {
        val settings = Settings(application)
        assertEquals(TunPolicy(excludeLocalNetworks = true), settings.policy(TunPolicy()))
        settings.apps = setOf("org.gone")
        val controller = Robolectric.buildActivity(AppsActivity::class.java).setup()
        val apps = controller.get()
        assertEquals(1, apps.list.adapter.count)
        assertTrue(apps.list.isItemChecked(0))
        apps.onlyThese.isChecked = true
        controller.pause()
        assertEquals(setOf("org.gone") to emptySet<String>(), settings.policy(TunPolicy()).let { it.includedApps to it.excludedApps })
    }

    @Test
    fun `the tile shows the state, and opens the application when there is no consent`() {
        val controller = Robolectric.buildService(VpnTile::class.java).create()
        val tile = controller.get()
        tile.onStartListening()
        assertEquals(Tile.STATE_INACTIVE, tile.qsTile.state)
        tile.onClick()
        assertEquals(SampleVpnService::class.java.name, shadowOf(application).nextStartedService.component?.className)
        ShadowVpnService.setPrepareResult(Intent("consent"))
        tile.onClick()
        assertEquals(MainActivity::class.java.name, shadowOf(ClickedTile.opened).savedIntent.component?.className)
        tile.onStopListening()
    }

    @Test
    fun `rates come from counters, and a new tunnel begins anew`() {
        val rates = Throughput(3)
        for ((at, bytes) in listOf(0L to 0L, 1000L to 500L, 2000L to 2500L, 3000L to 10L, 5000L to 30L, 6000L to 40L)) rates.add(bytes, 2 * bytes, at)
        assertEquals(listOf(2000.0, 10.0, 10.0), rates.received)
        assertEquals(listOf(4000.0, 20.0, 20.0), rates.sent)
        assertEquals(4000.0, rates.highest())
        assertEquals(listOf("999 B", "1.5 kB", "2.0 MB"), listOf(999L, 1_500L, 2_000_000L).map(::bytes))
    }
}
