package org.underpass.tunnel.service

import android.annotation.TargetApi
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import android.os.Build
import android.os.Handler

/**
 * Tells of the best network below the VPN, when something that counts has changed: the system calls several times for one change,
 * and for things that nobody needs. All on the thread of [handler].
 */
internal class NetworkWatcher(
    private val manager: ConnectivityManager,
    private val handler: Handler,
    /** `null`: there is no network. */
    private val onChange: (NetworkFacts?) -> Unit,
) {
    private var network: Network? = null
    private var capabilities: NetworkCapabilities? = null
    private var link: LinkProperties? = null
    private var told: NetworkFacts? = null
    private var hasTold = false

    private val callback = object : ConnectivityManager.NetworkCallback() {
        override fun onAvailable(network: Network) = take(network, null, null)

        override fun onCapabilitiesChanged(network: Network, capabilities: NetworkCapabilities) = take(network, capabilities, null)

        override fun onLinkPropertiesChanged(network: Network, link: LinkProperties) = take(network, null, link)

        override fun onLost(network: Network) = onHandler {
            if (network == this@NetworkWatcher.network) this@NetworkWatcher.network = null
            settle()
        }
    }

    private val tell = Runnable {
        val facts = facts()
        if (hasTold && facts == told) return@Runnable
        // Half of what belongs to a network says nothing yet.
        if (facts == null && network != null) return@Runnable
        hasTold = true
        told = facts
        onChange(facts)
    }

    fun start() {
        // Never the VPN itself, which a default callback of this very application would report.
        val request = NetworkRequest.Builder()
            .addCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET)
            .addCapability(NetworkCapabilities.NET_CAPABILITY_NOT_VPN)
            .build()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) best(request) else requested(request)
        // Where no network comes at all, nobody calls.
        settle()
    }

    fun stop() {
        handler.removeCallbacksAndMessages(this)
        runCatching { manager.unregisterNetworkCallback(callback) }
    }

    @TargetApi(Build.VERSION_CODES.S)
    private fun best(request: NetworkRequest) = manager.registerBestMatchingNetworkCallback(request, callback, handler)

    /** A request for what is there anyway keeps no other network awake. */
    private fun requested(request: NetworkRequest) = try {
        manager.requestNetwork(request, callback)
    } catch (_: SecurityException) {
        // Some builds of Android 11 refuse it although the permission is there.
        manager.registerNetworkCallback(request, callback)
    }

    private fun take(network: Network, capabilities: NetworkCapabilities?, link: LinkProperties?) = onHandler {
        if (network != this.network) {
            this.network = network
            // Android 7 does not call for these unasked.
            this.capabilities = manager.getNetworkCapabilities(network)
            this.link = manager.getLinkProperties(network)
        }
        capabilities?.let { this.capabilities = it }
        link?.let { this.link = it }
        settle()
    }

    private fun facts(): NetworkFacts? {
        return NetworkFacts.of(network ?: return null, capabilities ?: return null, link ?: return null)
    }

    /** One change comes in several calls, and a change of network as a loss and a gain. */
    private fun settle() {
        handler.removeCallbacks(tell)
        handler.postAtTime(tell, this, android.os.SystemClock.uptimeMillis() + SETTLE_MILLIS)
    }

    private fun onHandler(body: () -> Unit) {
        // Android 7 calls on a thread of its own.
        if (handler.looper.isCurrentThread) body() else handler.postAtTime(Runnable { body() }, this, 0)
    }

    internal companion object {
        const val SETTLE_MILLIS = 300L
    }
}
