package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

class TunnelTest {
    @Test
    fun `a tunnel is what its configuration says`() {
        tunnel().use { tunnel ->
            assertEquals(PrivateKey.fromBase64(SECRET).publicKey(), tunnel.publicKey())
            assertEquals(1380u, tunnel.layout().mtu)
            val peer = tunnel.peers().single()
            assertEquals(PublicKey.fromBase64(PEER), peer.publicKey)
            assertEquals(Health.CONNECTING, peer.health)
            assertEquals(Endpoint.Name("vpn.example", 51820u), peer.endpoint)
            assertEquals(peer.peer, tunnel.peerByKey(peer.publicKey))
            assertNull(peer.latestHandshakeMillis)
            assertEquals(1uL, tunnel.statistics().peers)
            assertTrue(tunnel.drops().all { it.count == 0uL })
        }
    }

    @Test
    fun `it changes while it runs`() {
        tunnel().use { tunnel ->
            val other = PrivateKey.generate().publicKey()
            val set = change(other).copy(user = 7uL, allowedIps = listOf(AllowedIp(Network("10.9.0.0", 16u))))
            val number = tunnel.changePeers(listOf(set)).single()!!
            assertEquals(7uL, tunnel.peer(number).user)
            tunnel.setEndpoint(number, SocketAddress("192.0.2.9", 51820u))
            assertEquals(SocketAddress("192.0.2.9", 51820u), tunnel.peer(number).path?.remote)
            tunnel.setRefused(number, true)
            assertTrue(tunnel.peer(number).isRefused)
            tunnel.connect(number)
            tunnel.endSessions(number)
            tunnel.resetPeerTimestamp(number)
            tunnel.handleNetworkChange()
            tunnel.handleWallClock()
            tunnel.setLimits(TunnelLimits(stagedBytes = 65536u))
            assertEquals(Health.CONNECTING, tunnel.peerHealth(number))
            assertEquals(tunnel.peerDrops(number).size, DropReason.entries.size - 1)

            tunnel.apply(Configuration.parse(TEXT))
            assertEquals(listOf(PublicKey.fromBase64(PEER)), tunnel.peers().map { it.publicKey })
            assertEquals(-14, assertFailsWith<TunnelException.NoPeer> { tunnel.peer(number) }.code())
            tunnel.setPrivateKey(null)
            assertNull(tunnel.publicKey())
            tunnel.removeAllPeers()
            assertEquals(emptyList(), tunnel.peers())
        }
    }

    @Test
    fun `events are pulled, and the observer hears that some wait`() {
        val observer = Observer()
        tunnel(observer).use { tunnel ->
            assertEquals(1, observer.woken, "the name of the peer is to be resolved")
            val asked = tunnel.events().single()
            assertEquals<TunnelEvent>(TunnelEvent.ResolveEndpoint(tunnel.peers().single().peer, 0uL), asked)
            assertEquals(5u, asked.kind())
            tunnel.setMtu(1280u)
            tunnel.statistics()
            assertEquals(2, observer.woken, "once, until somebody asks")
            assertEquals(listOf<TunnelEvent>(TunnelEvent.LayoutChanged), tunnel.events())
        }
    }

    @Test
    fun `an observer that throws harms nothing and is woken again`() {
        for (thrown in listOf(TunnelException.Busy(), IllegalStateException("out of order"))) {
            var throws = true
            val observer = Observer { if (throws) throw thrown }
            tunnel(observer).use { tunnel ->
                assertEquals(1, observer.woken)
                tunnel.statistics()
                assertEquals(2, observer.woken, "events wait still")
                throws = false
                tunnel.statistics()
                tunnel.statistics()
                assertEquals(3, observer.woken, "it knows")
                assertEquals(1, tunnel.events().size)
            }
        }
    }

    @Test
    fun `the observer may call the tunnel`() {
        var tunnel: Tunnel? = null
        val seen = mutableListOf<TunnelEvent>()
        tunnel(Observer { tunnel?.let { seen += it.events() } }).use {
            it.events()
            tunnel = it
            it.setMtu(1280u)
            assertEquals(listOf<TunnelEvent>(TunnelEvent.LayoutChanged), seen)
        }
    }

    @Test
    fun `timestamps outlive the tunnel`() {
        val floors = tunnel().use { it.savedFloors() }
        assertEquals(13, floors.size)
        val hourBefore = Clock.manual(5uL * SECOND, WALL - 3600uL * SECOND)
        tunnel(clock = hourBefore, floors = floors).use { assertContentEquals(floors, it.savedFloors(), "a clock set back lowers no floor") }
        val error = assertFailsWith<TunnelException.Argument> { tunnel(floors = byteArrayOf(1, 2)) }
        assertEquals("saved_floors" to -3, error.what to error.code())
    }

    @Test
    fun `a clock that leaps is told`() {
        val clock = Clock.manual(0uL, WALL)
        tunnel(clock = clock).use { tunnel ->
            clock.advance(3uL * 86_400uL * SECOND)
            tunnel.handleNetworkChange()
            assertTrue(TunnelEvent.ClockLeapt in tunnel.events())
        }
        assertTrue(Clock.system().nowNanos() > 0uL)
    }

    @Test
    fun `after it is shut down every call says so`() {
        val tunnel = tunnel(Observer())
        assertNotEquals(0uL, tunnel.dataPlaneId())
        tunnel.shutDown()
        tunnel.shutDown()
        val calls = listOf<() -> Unit>(
            { tunnel.apply(Configuration.parse(TEXT)) },
            { tunnel.connect(1uL) },
            { tunnel.nextEvent() },
            { tunnel.peers() },
            { tunnel.statistics() },
            { tunnel.setMtu(1280u) },
            { tunnel.savedFloors() },
        )
        for (call in calls) {
            assertEquals(-1, assertFailsWith<TunnelException.Closed> { call() }.code())
        }
        tunnel.close()
        assertFailsWith<IllegalStateException> { tunnel.statistics() }
        tunnel.close()
    }
}
