package org.underpass.tunnel.service

import android.app.Notification
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.net.Network
import android.net.VpnService
import android.os.Build
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.underpass.tunnel.ConfigException
import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.Tunnel
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.TunnelException

/**
 * A VPN service to extend. As it is, it runs the configuration that [ConfigStore] has under [DEFAULT_CONFIG]. Start it by [start], after
 * the user consented to what [consent] gives; the system starts it by itself when it is the always-on VPN.
 */
public open class UnderpassVpnService : VpnService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private val foreground = Foreground(this)
    private var session: VpnSession? = null
    private var starting: Job? = null
    private var unlocked: BroadcastReceiver? = null

    /** The configuration to run; `null`: there is none. [startedBySystem]: nobody is there to be asked. Not on the main thread. */
    protected open suspend fun loadConfig(startedBySystem: Boolean): TunnelConfig? = ConfigStore(this).load(DEFAULT_CONFIG)

    /** What is wanted beyond the configuration. */
    protected open fun policy(config: TunnelConfig): TunPolicy = TunPolicy(session = applicationInfo.loadLabel(packageManager).toString())

    /** The notification for a state. `null`: none, and no service in the foreground; the system keeps a VPN alive all the same. */
    protected open fun notification(state: VpnState): Notification? = null

    /** Starts what moves packets: by default the pump of the library. [protect] is to be asked for each socket before it sends. */
    protected open fun startDataPlane(
        tunnel: Tunnel,
        tun: Int,
        protect: (socket: Int) -> Boolean,
        onStopped: (TunnelException) -> Unit,
    ): DataPlane = tunnel.startPump(tun, protect, onStopped)

    /** What [saveFloors] kept, see [Tunnel.savedFloors]. Not on the main thread. */
    protected open fun loadFloors(): ByteArray? = ConfigStore(this).loadFloors(DEFAULT_CONFIG)

    protected open fun saveFloors(floors: ByteArray): Unit = ConfigStore(this).saveFloors(DEFAULT_CONFIG, floors)

    /** What an application binds for itself, by any action but the system's. */
    protected open fun bindApplication(intent: Intent?): IBinder? = null

    /** The system's own binding is left to the system: [onRevoke] would never be called otherwise. */
    final override fun onBind(intent: Intent?): IBinder? =
        if (intent?.action == SERVICE_INTERFACE) super.onBind(intent) else bindApplication(intent)

    final override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == ACTION_STOP) {
            end(VpnState.Off())
            return START_NOT_STICKY
        }
        // Without an intent the system started it again after the process was gone.
        val bySystem = intent == null || intent.action == SERVICE_INTERFACE
        try {
            if (consent(this) != null) throw VpnException(VpnError.NOT_PREPARED)
        } catch (refused: VpnException) {
            end(VpnState.Off(refused))
            return START_NOT_STICKY
        }
        if (session == null) show(VpnState.Starting)
        run(bySystem)
        return START_STICKY
    }

    /** The user withdrew consent, or another VPN took over. */
    override fun onRevoke() {
        end(VpnState.Revoked)
        super.onRevoke()
    }

    override fun onDestroy() {
        if (mutableState.value !is VpnState.Off && mutableState.value != VpnState.Revoked) end(VpnState.Off())
        stopWaiting()
        scope.cancel()
        super.onDestroy()
    }

    /** Begins a session, or gives the present one the configuration of now. */
    private fun run(bySystem: Boolean) {
        val earlier = starting
        starting = scope.launch {
            earlier?.join()
            try {
                val (config, floors) = withContext(Dispatchers.IO) { loadConfig(bySystem) to if (session == null) loadFloors() else null }
                begin(config ?: throw VpnException(VpnError.NO_CONFIGURATION), floors)
            } catch (stopped: CancellationException) {
                throw stopped
            } catch (failed: VpnException) {
                if (failed.error == VpnError.LOCKED) awaitUnlock(bySystem) else failed(failed)
            } catch (failed: ConfigException) {
                failed(VpnException(VpnError.NO_CONFIGURATION, failed.message, failed))
            } catch (failed: Exception) {
                failed(VpnException(VpnError.TUNNEL, failed.javaClass.simpleName, failed))
            }
        }
    }

    private fun begin(config: TunnelConfig, floors: ByteArray?) {
        val running = session
        if (running != null) {
            running.reload(config)
            running.mend()
        } else {
            val handler = Handler(Looper.getMainLooper())
            val connectivity = getSystemService(ConnectivityManager::class.java)!!
            val made = VpnSession(host, scope, TunDevice(TunMaker({ Builder() }, packageManager))) { NetworkWatcher(connectivity, handler, it) }
            made.start(config, floors)
            session = made
            mutableTunnel.value = made.tunnel
        }
        mutableWarnings.value = session!!.warnings + lockdownWarnings(config)
    }

    /** A change that fails leaves what runs as it was. */
    private fun failed(cause: VpnException) {
        if (session == null) end(VpnState.Off(cause)) else mutableWarnings.value += cause.message.orEmpty()
    }

    private fun end(state: VpnState) {
        starting?.cancel()
        session?.stop()
        session = null
        mutableTunnel.value = null
        mutableWarnings.value = emptyList()
        stopWaiting()
        show(state)
        foreground.leave()
        stopSelf()
    }

    private fun awaitUnlock(bySystem: Boolean) {
        show(VpnState.WaitingForUnlock)
        if (unlocked != null) return
        val receiver = object : BroadcastReceiver() {
            override fun onReceive(context: Context?, intent: Intent?) {
                stopWaiting()
                run(bySystem)
            }
        }
        unlocked = receiver
        registerReceiver(receiver, IntentFilter(Intent.ACTION_USER_UNLOCKED))
    }

    private fun stopWaiting() {
        unlocked?.let(::unregisterReceiver)
        unlocked = null
    }

    /** In lockdown the system blocks what does not use the tunnel, also what the user excluded from it. */
    private fun lockdownWarnings(config: TunnelConfig): List<String> {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q || !isLockdownEnabled) return emptyList()
        val policy = policy(config)
        val some = (policy.excludedApps ?: config.excludedApps.toSet()) + (policy.includedApps ?: config.includedApps.toSet())
        val apps = if (some.isEmpty()) null else "connections without VPN are blocked in the system's settings: applications outside the tunnel have no network"
        val local = if (!policy.excludeLocalNetworks) null else "connections without VPN are blocked in the system's settings: the local network is not reachable"
        return listOfNotNull(apps, local)
    }

    private fun show(state: VpnState) {
        mutableState.value = state
        if (state is VpnState.Off || state == VpnState.Revoked) return
        notification(state)?.let(foreground::enter)
    }

    private val host = object : SessionHost {
        override fun policy(config: TunnelConfig) = this@UnderpassVpnService.policy(config)

        override fun startDataPlane(tunnel: Tunnel, tun: Int, protect: (Int) -> Boolean, onStopped: (TunnelException) -> Unit) =
            this@UnderpassVpnService.startDataPlane(tunnel, tun, protect, onStopped)

        override fun protectSocket(socket: Int) = protect(socket)

        override fun below(network: Network?) {
            setUnderlyingNetworks(if (network == null) emptyArray() else arrayOf(network))
        }

        override fun saveFloors(floors: ByteArray) = this@UnderpassVpnService.saveFloors(floors)

        override fun show(state: VpnState) = this@UnderpassVpnService.show(state)
    }

    public companion object {
        /** The name in [ConfigStore] of the configuration that is run when [loadConfig] is not overridden. */
        public const val DEFAULT_CONFIG: String = "default"
        private const val ACTION_STOP = "org.underpass.tunnel.service.STOP"

        private val mutableState = MutableStateFlow<VpnState>(VpnState.Off())
        private val mutableTunnel = MutableStateFlow<Tunnel?>(null)
        private val mutableWarnings = MutableStateFlow<List<String>>(emptyList())

        /** What to show. There is one VPN of an application, so there is one state. */
        @JvmStatic
        public val state: StateFlow<VpnState> = mutableState.asStateFlow()

        /** The running tunnel, for its statistics and events; `null`: there is none. Leave it to the service to close it. */
        @JvmStatic
        public val tunnel: StateFlow<Tunnel?> = mutableTunnel.asStateFlow()

        /** What was left out or added so that nothing leaks, and changes that failed. To be shown. */
        @JvmStatic
        public val warnings: StateFlow<List<String>> = mutableWarnings.asStateFlow()

        /**
         * The intent by which the user is asked for consent, to be started for a result; `null`: there is consent. A [VpnException]
         * where the system allows no VPN.
         */
        @JvmStatic
        public fun consent(context: Context): Intent? = try {
            prepare(context)
        } catch (forbidden: IllegalStateException) {
            throw VpnException(VpnError.FORBIDDEN_BY_SYSTEM, cause = forbidden)
        }

        /**
         * Starts the service, or has it load its configuration anew. `false`: the system does not let the application start
         * anything from the background. It is never started with the promise of a notification, which would end the application
         * when it cannot be kept.
         */
        @JvmStatic
        public fun start(context: Context, service: Class<out UnderpassVpnService>): Boolean = try {
            context.startService(Intent(context, service)) != null
        } catch (_: IllegalStateException) {
            false
        }

        /** Stops the service, if it runs. */
        @JvmStatic
        public fun stop(context: Context, service: Class<out UnderpassVpnService>) {
            if (mutableState.value is VpnState.Off) return
            try {
                context.startService(Intent(context, service).setAction(ACTION_STOP))
            } catch (_: IllegalStateException) {
                context.stopService(Intent(context, service))
            }
        }
    }
}
