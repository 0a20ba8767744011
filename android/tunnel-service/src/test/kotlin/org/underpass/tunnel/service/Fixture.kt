package org.underpass.tunnel.service

import android.app.Notification
import android.content.Context
import android.content.Intent
import android.net.ConnectivityManager
import android.net.LinkAddress
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.os.Looper
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ServiceController
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowNetworkCapabilities
import org.robolectric.shadows.ShadowVpnService
import org.robolectric.util.ReflectionHelpers
import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.InetNetwork
import org.underpass.tunnel.Tunnel
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.TunnelException
import java.net.InetAddress
import java.time.Duration
import kotlin.test.assertTrue

const val TEXT = """[Interface]
PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
Address = 10.7.0.2/32, fd07::2/128
DNS = 10.7.0.1, corp.example

[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = 192.0.2.1:51820
"""

fun config(edit: (String) -> String = { it }): TunnelConfig = TunnelConfig.parse(edit(TEXT))

/** A data plane that moves nothing, and asks for its sockets as the real one does. */
class FakePlane(var tun: Int, private val protect: (Int) -> Boolean, val onStopped: (TunnelException) -> Unit) : DataPlane {
    var rebound = 0
    var replaced = 0
    var stopped = false

    /** Whether each descriptor that was given back was still open then. */
    val openWhenGivenBack = mutableListOf<Boolean>()

    init {
        for (socket in listOf(100, 101)) if (!protect(socket)) refuse()
    }

    private fun refuse(): Nothing = throw made("a socket is not protected")

    override fun rebind() {
        rebound += 1
        if (!protect(102)) refuse()
    }

    override fun replaceTun(tun: Int): Int {
        replaced += 1
        openWhenGivenBack += isOpen(this.tun)
        return this.tun.also { this.tun = tun }
    }

    override fun stop(): Int {
        if (stopped) return -1
        stopped = true
        return tun
    }

    companion object {
        fun isOpen(tun: Int): Boolean = Descriptors.isOpen(tun)

        /** An exception as the library throws it; its constructor is not for applications. */
        fun made(message: String): TunnelException = ReflectionHelpers.callConstructor(
            TunnelException::class.java,
            ReflectionHelpers.ClassParameter.from(Int::class.javaPrimitiveType, -1002),
            ReflectionHelpers.ClassParameter.from(String::class.java, message),
            ReflectionHelpers.ClassParameter.from(Throwable::class.java, null),
        )
    }
}

/** The service as an application writes it, but for the data plane. */
class TestVpnService : UnderpassVpnService() {
    override suspend fun loadConfig(startedBySystem: Boolean): TunnelConfig? {
        asked += startedBySystem
        failure?.let { throw it }
        return wanted
    }

    override fun policy(config: TunnelConfig): TunPolicy = policy

    override fun notification(state: VpnState): Notification? = notification

    override fun startDataPlane(tunnel: Tunnel, tun: Int, protect: (Int) -> Boolean, onStopped: (TunnelException) -> Unit): DataPlane {
        assertTrue(FakePlane.isOpen(tun))
        return FakePlane(tun, protect, onStopped).also { planes += it }
    }

    override fun loadFloors(): ByteArray? = floors

    override fun saveFloors(floors: ByteArray) {
        TestVpnService.floors = floors
    }

    companion object {
        val asked = mutableListOf<Boolean>()
        val planes = mutableListOf<FakePlane>()
        var wanted: TunnelConfig? = null
        var failure: Exception? = null
        var policy = TunPolicy()
        var notification: Notification? = null
        var floors: ByteArray? = null

        private val made = mutableListOf<ServiceController<TestVpnService>>()

        /** For before and after each test: classes outlive them. */
        fun reset() {
            made.forEach { it.destroy() }
            made.clear()
            ShadowVpnBuilder.reset()
            RecordingVpnService.clear()
            asked.clear()
            planes.clear()
            wanted = config()
            failure = null
            policy = TunPolicy()
            notification = null
            floors = null
            ShadowVpnService.setPrepareResult(null)
        }

        fun create(intent: Intent? = null): ServiceController<TestVpnService> =
            Robolectric.buildService(TestVpnService::class.java, intent).create().also { made += it }

        fun destroy(service: ServiceController<TestVpnService>) {
            made -= service
            service.destroy()
        }

        /** A service whose tunnel runs. */
        fun running(): ServiceController<TestVpnService> = create().startCommand(0, 1).also {
            eventually("running") { UnderpassVpnService.tunnel.value != null }
        }
    }
}

/** Does what waits on the main thread until something is so. The patience says nothing. */
fun eventually(what: String, condition: () -> Boolean) {
    val end = System.nanoTime() + Duration.ofMinutes(2).toNanos()
    while (!condition()) {
        check(System.nanoTime() < end) { "never: $what; ${UnderpassVpnService.state.value}" }
        shadowOf(Looper.getMainLooper()).idle()
        Thread.sleep(5)
    }
}

/** Lets the time pass that changes of network take to settle. */
fun settle() = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(2 * NetworkWatcher.SETTLE_MILLIS))

val application: Context get() = RuntimeEnvironment.getApplication()

fun callbacks(): Set<ConnectivityManager.NetworkCallback> =
    shadowOf(application.getSystemService(ConnectivityManager::class.java)).networkCallbacks

fun network(number: Int): Network = ShadowNetwork.newInstance(number)

fun capabilities(vararg has: Int): NetworkCapabilities = ShadowNetworkCapabilities.newInstance().also { made -> has.forEach { shadowOf(made).addCapability(it) } }

fun link(vararg addresses: String, name: String = "wlan0", dns: String = "9.9.9.9"): LinkProperties = LinkProperties().apply {
    interfaceName = name
    // Setters of addresses are hidden, as the real system fills them in.
    val made = addresses.map { InetNetwork.parse(it) }.map { network ->
        ReflectionHelpers.callConstructor(
            LinkAddress::class.java,
            ReflectionHelpers.ClassParameter.from(InetAddress::class.java, network.address),
            ReflectionHelpers.ClassParameter.from(Int::class.javaPrimitiveType, network.prefix),
        )
    }
    ReflectionHelpers.callInstanceMethod<Any>(this, "setLinkAddresses", ReflectionHelpers.ClassParameter.from(Collection::class.java, made))
    ReflectionHelpers.callInstanceMethod<Any>(
        this,
        "setDnsServers",
        ReflectionHelpers.ClassParameter.from(Collection::class.java, listOf(InetNetwork.parseAddress(dns))),
    )
}

/** The system's calls for a network. */
fun arrives(network: Network, capabilities: NetworkCapabilities, link: LinkProperties) {
    for (callback in callbacks()) {
        callback.onAvailable(network)
        callback.onCapabilitiesChanged(network, capabilities)
        callback.onLinkPropertiesChanged(network, link)
    }
    settle()
}

inline fun <reified T> setting(name: String): T = ReflectionHelpers.getField(ShadowVpnBuilder.configs.last(), name)

/** What the interface was made with, as texts. */
fun made(name: String): List<String> = setting<List<Any>?>(name).orEmpty().map { "$it" }

/** Its addresses, or its routes; from API 33 on a route may say that it is thrown. */
fun networks(name: String, thrown: Boolean = false): List<InetNetwork> =
    made(name).filter { (" throw" in it) == thrown }.map { InetNetwork.parse(it.substringBefore(' ')) }
