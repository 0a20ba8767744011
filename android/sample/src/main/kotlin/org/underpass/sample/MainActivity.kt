package org.underpass.sample

import android.Manifest
import android.app.Activity
import android.content.ClipboardManager
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.SystemClock
import android.widget.Toast
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collectLatest
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.underpass.tunnel.TunnelException
import org.underpass.tunnel.service.ConfigStore
import org.underpass.tunnel.service.UnderpassVpnService
import org.underpass.tunnel.service.VpnException
import org.underpass.tunnel.service.VpnState
import java.io.IOException

/** The one screen: import, connect, and see what happens. */
class MainActivity : Activity() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    lateinit var views: MainViews
        private set
    private var watching: Job? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val settings = Settings(this)
        views = MainViews(this)
        setContentView(views.root)
        views.connect.setOnClickListener { if (isOn) UnderpassVpnService.stop(this, SampleVpnService::class.java) else connect() }
        views.file.setOnClickListener {
            val pick = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
            startActivityForResult(pick, FILE)
        }
        views.paste.setOnClickListener { paste() }
        views.scan.setOnClickListener { startActivityForResult(Intent(this, ScanActivity::class.java), SCAN) }
        views.apps.setOnClickListener { startActivityForResult(Intent(this, AppsActivity::class.java), APPS) }
        views.local.isChecked = settings.leaveLocal
        views.local.setOnCheckedChangeListener { _, on ->
            settings.leaveLocal = on
            reload()
        }
        EventLog.follow(scope)
        if (state == null && intent.getBooleanExtra(CONNECT, false)) connect()
    }

    override fun onStart() {
        super.onStart()
        watching = scope.launch {
            launch { UnderpassVpnService.state.collect(::show) }
            launch { EventLog.lines.collect { views.log.text = it.joinToString("\n") } }
            launch { UnderpassVpnService.tunnel.collectLatest { while (it != null) { measure(); delay(1000) } } }
        }
    }

    override fun onStop() {
        watching?.cancel()
        super.onStop()
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    private val isOn: Boolean get() = UnderpassVpnService.state.value.let { it !is VpnState.Off && it != VpnState.Revoked }

    /** Notifications, consent, start: each asks for the next. A VPN without notifications is one all the same. */
    private fun connect() {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU && !mayNotify() && !asked) {
            asked = true
            requestPermissions(arrayOf(Manifest.permission.POST_NOTIFICATIONS), NOTIFY)
            return
        }
        val consent = try {
            UnderpassVpnService.consent(this)
        } catch (forbidden: VpnException) {
            return say(forbidden.message.orEmpty())
        }
        if (consent != null) startActivityForResult(consent, CONSENT) else UnderpassVpnService.start(this, SampleVpnService::class.java)
    }

    private var asked = false

    @android.annotation.TargetApi(Build.VERSION_CODES.TIRAMISU)
    private fun mayNotify() = checkSelfPermission(Manifest.permission.POST_NOTIFICATIONS) == PackageManager.PERMISSION_GRANTED

    override fun onRequestPermissionsResult(request: Int, permissions: Array<String>, results: IntArray) {
        if (request == NOTIFY) connect()
    }

    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        when {
            request == APPS -> reload()
            result != RESULT_OK -> Unit
            request == CONSENT -> UnderpassVpnService.start(this, SampleVpnService::class.java)
            request == SCAN -> data?.getStringExtra(ScanActivity.TEXT)?.let { text -> import { listOf(ConfigImport.text("QR code", text)) } }
            request == FILE -> data?.data?.let(::importFile)
        }
    }

    fun importFile(uri: Uri) = import { ConfigImport.of(contentResolver, uri) }

    private fun paste() {
        val text = getSystemService(ClipboardManager::class.java)?.primaryClip?.takeIf { it.itemCount > 0 }?.getItemAt(0)?.coerceToText(this)
        import { listOf(ConfigImport.text("clipboard", text?.toString().orEmpty())) }
    }

    /** Keeps all that is found, and runs the first of it. */
    private fun import(read: () -> List<ConfigImport.Found>) {
        scope.launch {
            val said = try {
                withContext(Dispatchers.IO) { keep(read()) }
            } catch (failed: IOException) {
                failed.message.orEmpty()
            } catch (failed: VpnException) {
                failed.message.orEmpty()
            } catch (failed: TunnelException) {
                failed.message.orEmpty()
            }
            say(said)
            reload()
        }
    }

    private fun keep(found: List<ConfigImport.Found>): String {
        val store = ConfigStore(this)
        val good = found.filter { it.config != null }
        good.forEach { store.save(it.name, it.config!!) }
        good.firstOrNull()?.let { store.save(UnderpassVpnService.DEFAULT_CONFIG, it.config!!) }
        val problems = found.mapNotNull { one -> one.problem?.let { "${one.name}: $it" } }
        return (listOf(getString(R.string.imported, good.size, found.size)) + problems).joinToString("\n")
    }

    /** A running tunnel takes what changed, and goes on. */
    private fun reload() {
        if (isOn) UnderpassVpnService.start(this, SampleVpnService::class.java)
    }

    private fun show(state: VpnState) {
        views.state.text = words(state)
        views.connect.setText(if (isOn) R.string.disconnect else R.string.connect)
    }

    private fun measure() {
        val now = try {
            UnderpassVpnService.tunnel.value?.statistics() ?: return
        } catch (_: TunnelException) {
            return
        }
        views.graph.add(now.rxBytes, now.txBytes, SystemClock.elapsedRealtime())
        views.statistics.text = getString(R.string.statistics, bytes(now.rxBytes), bytes(now.txBytes))
    }

    private fun say(text: String) {
        EventLog.add(text)
        Toast.makeText(this, text, Toast.LENGTH_LONG).show()
    }

    companion object {
        /** An extra: connect at once, since the tile could not ask for consent. */
        const val CONNECT = "connect"
        private const val NOTIFY = 1
        private const val CONSENT = 2
        private const val FILE = 3
        private const val SCAN = 4
        private const val APPS = 5
    }
}
