package org.underpass.tunnel.service

import android.annotation.TargetApi
import android.content.pm.PackageManager
import android.net.IpPrefix
import android.net.VpnService
import android.os.Build
import android.os.ParcelFileDescriptor
import android.system.OsConstants

/** Makes the virtual interface with the system's builder. */
internal class TunMaker(private val newBuilder: () -> VpnService.Builder, private val packages: PackageManager) {
    /** A new interface, and what was left out. */
    class Made(val tun: ParcelFileDescriptor, val warnings: List<String>)

    /** What cannot be is a [VpnException]: arguments that are refused, consent that is gone, packages that are missing. */
    fun make(settings: TunSettings): Made {
        val warnings = mutableListOf<String>()
        val tun = try {
            val builder = newBuilder()
            fill(builder, settings)
            apps(builder, settings, warnings)
            builder.establish()
        } catch (refused: IllegalArgumentException) {
            throw VpnException(VpnError.SETTINGS_REFUSED, refused.message, refused)
        } catch (refused: IllegalStateException) {
            throw VpnException(VpnError.SETTINGS_REFUSED, refused.message, refused)
        } catch (refused: SecurityException) {
            throw VpnException(VpnError.NOT_PREPARED, refused.message, refused)
        }
        return Made(tun ?: throw VpnException(VpnError.NOT_ESTABLISHED), warnings)
    }

    private fun fill(builder: VpnService.Builder, settings: TunSettings) {
        builder.setSession(settings.session).setMtu(settings.mtu).setBlocking(false)
        settings.addresses.forEach { builder.addAddress(it.address, it.prefix) }
        settings.routes.forEach { builder.addRoute(it.address, it.prefix) }
        settings.dns.forEach(builder::addDnsServer)
        settings.searchDomains.forEach(builder::addSearchDomain)
        if (settings.allowBypass) builder.allowBypass()
        // A family that is not mentioned would be blocked, also where only some networks are to be routed.
        if (!settings.isFull) builder.allowFamily(OsConstants.AF_INET).allowFamily(OsConstants.AF_INET6)
        // The network below decides, unless somebody said otherwise: by default the system calls every VPN metered.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) builder.setMetered(settings.metered ?: false)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) exclude(builder, settings)
    }

    @TargetApi(Build.VERSION_CODES.TIRAMISU)
    private fun exclude(builder: VpnService.Builder, settings: TunSettings) {
        settings.excludedRoutes.forEach { builder.excludeRoute(IpPrefix(it.address, it.prefix)) }
    }

    private fun apps(builder: VpnService.Builder, settings: TunSettings, warnings: MutableList<String>) {
        var included = 0
        for (name in settings.includedApps) if (known(name, warnings) { builder.addAllowedApplication(name) }) included += 1
        if (settings.includedApps.isNotEmpty() && included == 0) throw VpnException(VpnError.APPS_NOT_INSTALLED)
        for (name in settings.excludedApps) known(name, warnings) { builder.addDisallowedApplication(name) }
    }

    private fun known(name: String, warnings: MutableList<String>, add: () -> Unit): Boolean = try {
        packages.getApplicationInfo(name, 0)
        add()
        true
    } catch (_: PackageManager.NameNotFoundException) {
        warnings += "$name is not installed"
        false
    }
}

/** The interface that is in force. It never goes before the next one is there, so that nothing goes around it meanwhile. */
internal class TunDevice(private val maker: TunMaker) {
    private var settings: TunSettings? = null

    /** What was left out when it was made. */
    var warnings: List<String> = emptyList()
        private set

    /**
     * Has an interface with these settings made, unless the present one has them. [take] gets the new descriptor, which is
     * its own once it returns, and gives back the old one, to be closed here; -1: there was none. When it fails, all stays as it was.
     */
    fun update(wanted: TunSettings, take: (Int) -> Int) {
        if (wanted == settings) return
        val made = maker.make(wanted)
        val tun = made.tun.detachFd()
        val old = try {
            take(tun)
        } catch (refused: Throwable) {
            ParcelFileDescriptor.adoptFd(tun).close()
            throw refused
        }
        if (old >= 0) ParcelFileDescriptor.adoptFd(old).close()
        settings = wanted
        warnings = wanted.warnings + made.warnings
    }

    /** Closes the descriptor that the data plane gave back; -1: it has none. */
    fun close(tun: Int) {
        if (tun >= 0) ParcelFileDescriptor.adoptFd(tun).close()
        settings = null
    }
}
