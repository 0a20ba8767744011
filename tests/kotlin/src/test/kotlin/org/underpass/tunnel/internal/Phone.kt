package org.underpass.tunnel.internal

import android.net.IpPrefix
import android.net.LinkAddress
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import android.os.Build
import kotlinx.coroutines.runBlocking
import org.underpass.tunnel.InetNetwork
import org.underpass.tunnel.PacketPump
import org.underpass.tunnel.PacketPumpException
import org.underpass.tunnel.TunnelConfig
import org.underpass.tunnel.service.EndpointLookup
import org.underpass.tunnel.service.NetworkFacts
import java.net.InetAddress
import java.net.NetworkInterface
import java.net.ServerSocket
import java.util.Base64
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit

/** An application with a real virtual interface and a pump, which does what it is told on a line. tests/interop starts it. */
private class Phone(private val name: String) {
    private val tun = openTun(name)
    private lateinit var tunnel: Tunnel
    private lateinit var pump: PacketPump
    private lateinit var config: TunnelConfig
    private val end = CompletableFuture<PacketPumpException>()
    private var asked = 0

    @Volatile
    private var refuses = false

    fun obey(line: String): String {
        val words = line.split(' ')
        return when (words[0]) {
            "start" -> start(String(Base64.getDecoder().decode(words[1])))
            "follow" -> follow(words[1].takeUnless { it == "-" })
            "rebind" -> pump.rebind().let { "ok" }
            "refuse" -> { refuses = words[1] == "yes"; "ok" }
            "asked" -> "$asked"
            "statistics" -> pump.statistics().run { "$packetsOut $bytesOut $batchesOut $packetsIn $bytesIn $batchesIn $drops $wakeUps" }
            "handshakes" -> "${tunnel.statistics().handshakes}"
            "replace" -> replace()
            "stop" -> if (pump.stop() == tun && isOpen(tun)) "ok" else "another descriptor, or it is closed"
            "ended" -> "${end.get(1, TimeUnit.MINUTES).code}"
            "memory" -> memory()
            else -> "what is $line?"
        }
    }

    private fun start(text: String): String {
        config = TunnelConfig.parse(text)
        tunnel = Tunnel(TunnelOptions(configuration = Configuration.parse(text)), null)
        pump = PacketPump.start(tunnel, tun, { asked += 1; !refuses }) { end.complete(it) }
        return "ok"
    }

    /** As the service follows a network that gave `eth0` its addresses. Android tells the [prefix] from API 30 on. */
    private fun follow(prefix: String?): String {
        Build.VERSION.SDK_INT = if (prefix != null) 30 else 29
        val link = LinkProperties(
            interfaceName = "eth0",
            linkAddresses = NetworkInterface.getByName("eth0").inetAddresses.asSequence().map { LinkAddress(it) }.toList(),
            dnsServers = emptyList(),
            nat64Prefix = prefix?.let(InetNetwork::parse)?.let { IpPrefix(it.address, it.prefix) },
        )
        val path = NetworkFacts.of(Network(), NetworkCapabilities(), link).path
        if (!path.isIpv6Only) return "there is IPv4"
        val literals = runBlocking { EndpointLookup({ path }).literals(path, config) }
        for ((key, endpoint) in literals) tunnel.setEndpoint(tunnel.peerByKey(key.core), endpoint.toCore())
        tunnel.handleNetworkChange()
        return literals.values.joinToString(" ") { it.address.hostAddress }
    }

    /** The same interface by another descriptor, as when an application keeps a copy of its own. */
    private fun replace(): String {
        val copy = LibC.c.dup(tun)
        val old = pump.replaceTun(copy)
        if (old != tun) return "another descriptor"
        val back = pump.replaceTun(tun)
        LibC.c.close(copy)
        return if (back == copy) "ok" else "another descriptor"
    }

    /** Kilobytes that are no file's and that this process holds. */
    private fun memory(): String =
        java.io.File("/proc/self/status").readLines().first { it.startsWith("RssAnon") }.filter(Char::isDigit)
}

fun main(arguments: Array<String>) {
    val (name, port) = arguments
    val phone = Phone(name)
    ServerSocket(port.toInt(), 1, InetAddress.getLoopbackAddress()).use { door ->
        println("ready")
        door.accept().use { line ->
            val answers = line.getOutputStream().writer()
            for (order in line.getInputStream().bufferedReader().lineSequence()) {
                val answer = try {
                    phone.obey(order)
                } catch (refusal: PacketPumpException) {
                    "refused ${refusal.code}"
                }
                answers.write("$answer\n")
                answers.flush()
            }
        }
    }
}
