package org.underpass.sample

import android.annotation.TargetApi
import android.app.PendingIntent
import android.content.Intent
import android.os.Build
import android.service.quicksettings.Tile
import android.service.quicksettings.TileService
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import org.underpass.tunnel.service.UnderpassVpnService
import org.underpass.tunnel.service.VpnException
import org.underpass.tunnel.service.VpnState

/** The tile of the quick settings. */
class VpnTile : TileService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private var watching: Job? = null

    override fun onStartListening() {
        watching = scope.launch { UnderpassVpnService.state.collect(::show) }
    }

    override fun onStopListening() {
        watching?.cancel()
    }

    override fun onClick() {
        if (isOn(UnderpassVpnService.state.value)) {
            UnderpassVpnService.stop(this, SampleVpnService::class.java)
            return
        }
        val consented = try {
            UnderpassVpnService.consent(this) == null
        } catch (_: VpnException) {
            false
        }
        // Without consent only an activity can ask for it.
        if (!consented || !UnderpassVpnService.start(this, SampleVpnService::class.java)) open()
    }

    private fun open() {
        val main = Intent(this, MainActivity::class.java).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK).putExtra(MainActivity.CONNECT, true)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) openPending(main) else @Suppress("DEPRECATION", "StartActivityAndCollapseDeprecated") startActivityAndCollapse(main)
    }

    /** From API 34 on an intent is refused. */
    @TargetApi(Build.VERSION_CODES.UPSIDE_DOWN_CAKE)
    private fun openPending(main: Intent) =
        startActivityAndCollapse(PendingIntent.getActivity(this, 0, main, PendingIntent.FLAG_IMMUTABLE or PendingIntent.FLAG_UPDATE_CURRENT))

    private fun show(state: VpnState) {
        val tile = qsTile ?: return
        tile.state = if (isOn(state)) Tile.STATE_ACTIVE else Tile.STATE_INACTIVE
        tile.label = words(state)
        tile.updateTile()
    }

    private fun isOn(state: VpnState) = state !is VpnState.Off && state != VpnState.Revoked
}
