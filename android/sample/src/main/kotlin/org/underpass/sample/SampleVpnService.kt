package org.underpass.sample

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Intent
import android.os.Build
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.service.TunPolicy
import org.underpass.tunnel.service.UnderpassVpnService
import org.underpass.tunnel.service.VpnState

/** The VPN of this application: what the settings want, and a notification. All else is the library's. */
class SampleVpnService : UnderpassVpnService() {
    override fun policy(config: TunnelConfig): TunPolicy = Settings(this).policy(super.policy(config))

    override fun notification(state: VpnState): Notification {
        val builder = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) channelled() else @Suppress("DEPRECATION") Notification.Builder(this)
        val open = PendingIntent.getActivity(this, 0, Intent(this, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        return builder.setSmallIcon(R.drawable.ic_vpn).setContentTitle(words(state)).setContentIntent(open).setOngoing(true).build()
    }

    @android.annotation.TargetApi(Build.VERSION_CODES.O)
    private fun channelled(): Notification.Builder {
        val channel = NotificationChannel(CHANNEL, getString(R.string.channel), NotificationManager.IMPORTANCE_LOW)
        getSystemService(NotificationManager::class.java)?.createNotificationChannel(channel)
        return Notification.Builder(this, CHANNEL)
    }

    private companion object {
        const val CHANNEL = "state"
    }
}
