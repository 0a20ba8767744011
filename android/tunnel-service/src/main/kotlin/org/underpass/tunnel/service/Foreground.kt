package org.underpass.tunnel.service

import android.annotation.TargetApi
import android.app.Notification
import android.app.Service
import android.content.pm.ServiceInfo
import android.os.Build

/**
 * Shows the service in the foreground, where the application wants it. The system's own binding keeps a VPN alive without it, so
 * whatever the system or its maker does not allow ends in no notification, never in a crash.
 */
internal class Foreground(private val service: Service) {
    /** Whether it is shown. Only for a service that is the prepared VPN: the type asks for it. */
    fun enter(notification: Notification): Boolean = try {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) typed(notification) else service.startForeground(ID, notification)
        true
    } catch (_: RuntimeException) {
        // SecurityException, ForegroundServiceStartNotAllowedException, InvalidForegroundServiceTypeException and makers' own.
        false
    }

    @TargetApi(Build.VERSION_CODES.UPSIDE_DOWN_CAKE)
    private fun typed(notification: Notification) =
        service.startForeground(ID, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_SYSTEM_EXEMPTED)

    fun leave() = service.stopForeground(Service.STOP_FOREGROUND_REMOVE)

    internal companion object {
        const val ID = 0x756e64
    }
}
