package org.underpass.tunnel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Test
import org.underpass.tunnel.internal.liveTunnels
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

class TunnelTest {
    private val minutes = 180_000L

    private suspend fun Tunnel.until(state: TunnelState) = withTimeout(minutes) { this@until.state.first { it == state } }

    @Test
    fun `an idle tunnel has not failed`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.phone.until(TunnelState.Connecting)
            ends.send()
            ends.phone.until(TunnelState.Connected(idle = false))
            assertTrue(ends.phone.state.value.isConnected)
            // The keepalive that answers the packet, so that nothing is unanswered.
            ends.advance(10)
            ends.advance(175)
            ends.phone.until(TunnelState.Connected(idle = true))
            assertTrue(ends.phone.state.value.isConnected)
            repeat(8) { ends.advance(3600) }
            assertEquals<TunnelState>(TunnelState.Connected(idle = true), ends.phone.state.value)
            assertEquals(1, ends.phone.statistics().handshakes.toInt())
            ends.send()
            ends.phone.until(TunnelState.Connected(idle = false))
            assertEquals(2, ends.phone.statistics().handshakes.toInt())
        }
    }

    @Test
    fun `health comes from authenticated traffic`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.send()
            ends.phone.until(TunnelState.Connected(idle = false))
            ends.cut = true
            ends.send()
            repeat(4) { ends.advance(5) }
            ends.phone.until(TunnelState.Stale)
            assertEquals(false, ends.phone.state.value.isConnected)
            repeat(40) { ends.advance(6); ends.send() }
            repeat(40) { ends.advance(6) }
            ends.phone.until(TunnelState.Failed)
            ends.cut = false
            ends.send()
            ends.advance(1)
            ends.phone.until(TunnelState.Connected(idle = false))
        }
    }

    private fun Ends.moveInADeadSpot() {
        cut = true
        phoneAt = "192.0.2.77"
        phone.networkChanged()
        settle()
        assertEquals(InetSocketAddress("192.0.2.7", 51820), gateway.statistics().peers.single().endpoint)
    }

    private fun Ends.assertFound(handshakes: Int) {
        assertEquals(InetSocketAddress("192.0.2.77", 51820), gateway.statistics().peers.single().endpoint)
        assertEquals(handshakes, phone.statistics().handshakes.toInt())
    }

    @Test
    fun `a change of network in a dead spot of ten seconds costs no handshake`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.send()
            ends.moveInADeadSpot()
            repeat(10) { ends.advance(1); ends.send() }
            ends.cut = false
            ends.send()
            ends.assertFound(handshakes = 1)
            ends.phone.until(TunnelState.Connected(idle = false))
        }
    }

    @Test
    fun `a change of network in a dead spot of a minute costs one handshake, which nobody asks for`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.send()
            ends.moveInADeadSpot()
            repeat(60) { ends.advance(1); ends.send() }
            ends.phone.until(TunnelState.Stale)
            ends.cut = false
            // It is tried again every five seconds and up to a third of one.
            repeat(6) { ends.advance(1) }
            ends.assertFound(handshakes = 2)
            ends.phone.until(TunnelState.Connected(idle = false))
            ends.send()
            ends.assertFound(handshakes = 2)
        }
    }

    /** And asked for again, with another address, while nobody answers. */
    @Test
    fun `a name is asked for`() = runBlocking<Unit> {
        val wrong = InetAddress.getByAddress(byteArrayOf(198.toByte(), 51, 100, 9))
        val right = InetAddress.getByAddress(byteArrayOf(192.toByte(), 0, 2, 1))
        val asked = Channel<String>(Channel.UNLIMITED)
        Ends(PeerEndpoint("vpn.example", 51820), { asked.send(it); listOf(wrong, right) }).use { ends ->
            val endpoint = suspend { withTimeout(minutes) { while (ends.phone.statistics().peers.single().endpoint == null) kotlinx.coroutines.delay(5) }; ends.phone.statistics().peers.single().endpoint!! }
            assertEquals("vpn.example", withTimeout(minutes) { asked.receive() })
            assertEquals(InetSocketAddress(wrong, 51820), endpoint())
            ends.cut = true
            ends.send()
            var tries = 0
            while (endpoint().address != right && tries++ < 60) {
                ends.advance(6)
                ends.send()
                kotlinx.coroutines.delay(20)
            }
            assertEquals(right, endpoint().address)
            assertEquals("vpn.example", asked.receive())
        }
    }

    @Test
    fun `a name that does not resolve is told, with the reason`() = runBlocking<Unit> {
        val gate = CompletableDeferred<Unit>()
        Ends(PeerEndpoint("vpn.example", 51820), { gate.await(); throw IOException("no network") }).use { ends ->
            val told = async(start = kotlinx.coroutines.CoroutineStart.UNDISPATCHED) { ends.phone.events.first { it is TunnelEvent.ResolutionFailed } }
            gate.complete(Unit)
            assertEquals(TunnelEvent.ResolutionFailed(ends.gatewayKey, "vpn.example", "no network"), withTimeout(minutes) { told.await() })
        }
    }

    @Test
    fun `events name their peer by its key`() = runBlocking<Unit> {
        Ends().use { ends ->
            val told = async(start = kotlinx.coroutines.CoroutineStart.UNDISPATCHED) { ends.phone.events.first { it is TunnelEvent.SessionEstablished } }
            ends.send()
            assertEquals(TunnelEvent.SessionEstablished(ends.gatewayKey), withTimeout(minutes) { told.await() })
            val peer = ends.phone.statistics().also { assertEquals(1 to 1, it.handshakes.toInt() to it.txPackets.toInt()) }.peers.single()
            assertEquals(PeerHealth.UP to InetSocketAddress("192.0.2.1", 51820), peer.health to peer.endpoint)
            assertTrue(peer.latestHandshakeMillis!! >= 1_767_225_600_000)
            assertNull(peer.lastSendError)
        }
    }

    @Test
    fun `a change of network makes itself heard`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.send()
            ends.phone.until(TunnelState.Connected(idle = false))
            ends.advance(30)
            val moved = TunnelEvent.EndpointMoved(ends.phoneKey, InetSocketAddress("198.51.100.9", 51820))
            val told = async(start = kotlinx.coroutines.CoroutineStart.UNDISPATCHED) { ends.gateway.events.first { it == moved } }
            ends.phoneAt = "198.51.100.9"
            ends.phone.networkChanged()
            ends.settle()
            assertEquals<TunnelEvent>(moved, withTimeout(minutes) { told.await() })
        }
    }

    @Test
    fun `a configuration applies to a running tunnel`() = runBlocking<Unit> {
        Ends().use { ends ->
            ends.send()
            ends.phone.until(TunnelState.Connected(idle = false))
            val other = PeerConfig(PrivateKey.generate().publicKey, listOf(InetNetwork.parse("10.9.0.0/16")))
            val wider = ends.config.toBuilder().peer(other).build()
            ends.phone.apply(wider)
            assertEquals(wider, ends.phone.config)
            assertEquals(2, ends.phone.statistics().peers.size)
            ends.send()
            assertEquals(1, ends.phone.statistics().handshakes.toInt())
            ends.phone.connect(other.publicKey)
            ends.phone.setEndpoint(other.publicKey, InetSocketAddress("192.0.2.9", 9))
            ends.phone.networkChanged()
            ends.phone.wallClockChanged()
            ends.phone.resetPeerTimestamp(other.publicKey)
            ends.phone.apply(ends.config)
            assertEquals(ErrorCode.NO_PEER, assertFailsWith<TunnelException> { ends.phone.connect(other.publicKey) }.error)
        }
    }

    @Test
    fun `a closed tunnel says so`() = runBlocking<Unit> {
        val ends = Ends()
        val ended = (1..4).map {
            async(Dispatchers.IO) { assertFailsWith<TunnelException> { while (true) ends.phone.statistics() }.error }
        }
        launch(Dispatchers.IO) { ends.close(); ends.close() }
        assertEquals(List<ErrorCode?>(4) { ErrorCode.CLOSED }, withTimeout(minutes) { ended.awaitAll() })
        ends.phone.until(TunnelState.Closed(null))
        val calls = listOf<() -> Unit>(
            { ends.phone.apply(ends.config) }, { ends.phone.networkChanged() }, { ends.phone.connect() },
            { ends.phone.savedFloors() }, { ends.phone.packetEngine() },
        )
        for (call in calls) assertEquals(ErrorCode.CLOSED, assertFailsWith<TunnelException> { call() }.error)
    }

    @Test
    fun `a saved floor is taken again, and no other bytes are`() {
        val config = TunnelConfig.parse(TEXT)
        val floors = Tunnel(config).use { it.savedFloors() }
        Tunnel(config, TunnelOptions(savedFloors = floors)).close()
        assertEquals(ErrorCode.ARGUMENT, assertFailsWith<TunnelException> { Tunnel(config, TunnelOptions(savedFloors = byteArrayOf(1))) }.error)
    }

    @Test
    fun `tunnels come and go and leave nothing`() {
        val before = liveTunnels()
        val config = TunnelConfig.parse(TEXT)
        repeat(2_000) { Tunnel(config, TunnelOptions({ emptyList() })).close() }
        assertEquals(before, liveTunnels())
    }
}
