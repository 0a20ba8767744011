package org.underpass.sample

import android.content.Context
import org.underpass.tunnel.TunnelState
import org.underpass.tunnel.service.VpnState

/** A state in the user's language. */
fun Context.words(state: VpnState): String = when (state) {
    is VpnState.Off -> state.cause?.message ?: getString(R.string.state_off)
    VpnState.Revoked -> getString(R.string.state_revoked)
    VpnState.WaitingForUnlock -> getString(R.string.state_locked)
    VpnState.Starting -> getString(R.string.state_starting)
    VpnState.NoNetwork -> getString(R.string.state_no_network)
    VpnState.CaptivePortal -> getString(R.string.state_portal)
    is VpnState.Blocked -> getString(R.string.state_blocked, state.cause.message)
    is VpnState.Running -> when (val tunnel = state.tunnel) {
        TunnelState.Connecting -> getString(R.string.state_connecting)
        is TunnelState.Connected -> getString(R.string.state_connected)
        TunnelState.Stale -> getString(R.string.state_stale)
        TunnelState.Failed -> getString(R.string.state_failed)
        is TunnelState.Closed -> tunnel.cause?.message ?: getString(R.string.state_off)
    }
}

/** Bytes as people read them. */
fun bytes(count: Long): String {
    var value = count.toDouble()
    for (unit in listOf("B", "kB", "MB", "GB")) {
        if (value < 1000) return if (unit == "B") "$count B" else String.format(java.util.Locale.ROOT, "%.1f %s", value, unit)
        value /= 1000
    }
    return String.format(java.util.Locale.ROOT, "%.1f TB", value)
}
