package org.underpass.sample

import android.content.Context
import org.underpass.tunnel.service.TunPolicy

/** What the user set. */
class Settings(context: Context) {
    private val kept = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    var leaveLocal: Boolean
        get() = kept.getBoolean("local", true)
        set(value) = kept.edit().putBoolean("local", value).apply()

    /** Whether [apps] alone use the VPN; else all others do. */
    var onlyThese: Boolean
        get() = kept.getBoolean("only", false)
        set(value) = kept.edit().putBoolean("only", value).apply()

    /** Packages; empty: as the configuration says. */
    var apps: Set<String>
        get() = kept.getStringSet("apps", emptySet())!!.toSet()
        set(value) = kept.edit().putStringSet("apps", value).apply()

    fun policy(base: TunPolicy): TunPolicy {
        val some = base.copy(excludeLocalNetworks = leaveLocal)
        return when {
            apps.isEmpty() -> some
            onlyThese -> some.copy(includedApps = apps, excludedApps = emptySet())
            else -> some.copy(includedApps = emptySet(), excludedApps = apps)
        }
    }
}
