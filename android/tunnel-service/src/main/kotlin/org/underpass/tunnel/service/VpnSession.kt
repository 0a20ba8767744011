package org.underpass.tunnel.service

import android.net.Network
import android.os.Build
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.Tunnel
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.TunnelException
import org.underpass.tunnel.TunnelOptions

/** What a session needs of its service. */
internal interface SessionHost {
    fun policy(config: TunnelConfig): TunPolicy
    fun startDataPlane(tunnel: Tunnel, tun: Int, protect: (Int) -> Boolean, onStopped: (TunnelException) -> Unit): DataPlane
    fun protectSocket(socket: Int): Boolean
    fun below(network: Network?)
    fun saveFloors(floors: ByteArray)
    fun show(state: VpnState)
}

/** One tunnel from its start to its end: interface, engine, data plane, and what happens below. All on the main thread. */
internal class VpnSession(
    private val host: SessionHost,
    private val scope: CoroutineScope,
    private val device: TunDevice,
    watcher: ((NetworkFacts?) -> Unit) -> NetworkWatcher,
) {
    private val watcher = watcher(::networkChanged)
    private val lookup = EndpointLookup({ facts?.path })
    private var plane: DataPlane? = null

    /** The interface while no data plane has it. */
    private var held = -1
    private var broken: VpnException? = null

    @Volatile
    private var facts: NetworkFacts? = null
    private var networkKnown = false
    private var translated = false
    private var following: Job? = null

    lateinit var tunnel: Tunnel
        private set

    val warnings: List<String> get() = device.warnings

    /** What cannot be is a [VpnException], and nothing is left of it. */
    fun start(config: TunnelConfig, floors: ByteArray?) {
        val settings = settings(config)
        tunnel = try {
            Tunnel(config, TunnelOptions(lookup, floors))
        } catch (refused: TunnelException) {
            throw VpnException(VpnError.TUNNEL, refused.message, refused)
        }
        try {
            device.update(settings) { tun ->
                plane = startPlane(tun)
                -1
            }
        } catch (failed: VpnException) {
            tunnel.close()
            throw failed
        }
        watcher.start()
        following = scope.launch { tunnel.state.collect { show() } }
    }

    /** Puts another configuration in force, without an end of sessions that go on. When it fails, the earlier one stays. */
    fun reload(config: TunnelConfig) {
        val settings = settings(config)
        val before = tunnel.config
        try {
            tunnel.apply(config)
            device.update(settings) { tun -> plane?.replaceTun(tun) ?: held.also { held = tun } }
        } catch (failed: VpnException) {
            tunnel.apply(before)
            throw failed
        } catch (failed: TunnelException) {
            tunnel.apply(before)
            throw VpnException(VpnError.TUNNEL, failed.message, failed)
        }
        if (broken != null) mend()
        facts?.let { follow(it.path, isFirst = true) }
    }

    /** Tries again what broke. */
    fun mend() {
        if (held < 0) return
        try {
            plane = startPlane(held)
            held = -1
            broken = null
        } catch (failed: VpnException) {
            broken = failed
        }
        show()
    }

    fun stop() {
        following?.cancel()
        watcher.stop()
        runCatching { host.saveFloors(tunnel.savedFloors()) }
        device.close(plane?.stop() ?: held)
        plane = null
        held = -1
        tunnel.close()
        host.below(null)
    }

    private fun settings(config: TunnelConfig) =
        TunSettings.of(config, host.policy(config), canExcludeRoutes = Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU)

    /** A socket that is not protected would send into the tunnel that it is to carry: that is no start at all. */
    private fun startPlane(tun: Int): DataPlane {
        var refused = false
        val protect = { socket: Int -> host.protectSocket(socket).also { if (!it) refused = true } }
        val started = try {
            host.startDataPlane(tunnel, tun, protect, ::stopped)
        } catch (failed: TunnelException) {
            throw VpnException(if (refused) VpnError.NOT_PROTECTED else VpnError.DATA_PLANE, failed.message, failed)
        }
        if (refused) {
            started.stop()
            throw VpnException(VpnError.NOT_PROTECTED)
        }
        return started
    }

    /** From the thread of the data plane. */
    private fun stopped(cause: TunnelException) {
        scope.launch { broke(VpnException(VpnError.DATA_PLANE, cause.message, cause)) }
    }

    /** The interface is kept: what goes into it goes nowhere, and not around it. */
    private fun broke(cause: VpnException) {
        val ended = plane ?: return
        plane = null
        held = ended.stop()
        broken = cause
        show()
    }

    private fun networkChanged(now: NetworkFacts?) {
        val before = facts
        facts = now
        host.below(now?.path?.network)
        if (now != null && now.path != before?.path) {
            if (broken != null) mend()
            follow(now.path, isFirst = !networkKnown)
        }
        networkKnown = true
        show()
    }

    private fun follow(path: NetworkFacts.Path, isFirst: Boolean) {
        scope.launch {
            try {
                if (!isFirst) plane?.rebind()
                val literals = try {
                    lookup.literals(path, tunnel.config)
                } catch (_: java.io.IOException) {
                    emptyMap()
                }
                if (path != facts?.path) return@launch
                if (path.isIpv6Only || translated) literals.forEach(tunnel::setEndpoint)
                translated = path.isIpv6Only
                tunnel.networkChanged()
            } catch (stopped: CancellationException) {
                throw stopped
            } catch (failed: TunnelException) {
                broke(VpnException(VpnError.DATA_PLANE, failed.message, failed))
            } catch (failed: RuntimeException) {
                // The data plane's own kinds of exception.
                broke(VpnException(VpnError.DATA_PLANE, failed.message, failed))
            }
        }
    }

    private fun show() {
        val now = facts
        val cause = broken
        host.show(
            when {
                cause != null -> VpnState.Blocked(cause)
                now == null && networkKnown -> VpnState.NoNetwork
                now?.isCaptivePortal == true -> VpnState.CaptivePortal
                else -> VpnState.Running(tunnel.state.value)
            },
        )
    }
}
