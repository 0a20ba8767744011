package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class WordsTest {
    /** One of each. A word that the library gains is missed here, or does not compile. */
    private val errors = listOf(
        TunnelException.Closed(),
        TunnelException.Size(),
        TunnelException.Argument("x"),
        TunnelException.Buffer(),
        TunnelException.Overlap(),
        TunnelException.Batch(),
        TunnelException.Key(),
        TunnelException.Config(emptyList(), 0uL),
        TunnelException.LowOrderKey(null),
        TunnelException.TooManyPeers(3u),
        TunnelException.Prefix("x"),
        TunnelException.Mtu(),
        TunnelException.Limit(),
        TunnelException.NoPeer(),
        TunnelException.Job(),
        TunnelException.Random(),
        TunnelException.Busy(),
        TunnelException.Panic(),
        TunnelException.Poisoned(),
        TunnelException.Memory(),
    )

    private val events = listOf(
        TunnelEvent.SessionEstablished(1uL, 0uL),
        TunnelEvent.HandshakeFailed(1uL, 0uL),
        TunnelEvent.SessionExpired(1uL, 0uL),
        TunnelEvent.EndpointMoved(1uL, 0uL, Path(SocketAddress("192.0.2.1", 1u), null, 0u)),
        TunnelEvent.ResolveEndpoint(1uL, 0uL),
        TunnelEvent.HealthChanged(1uL, 0uL, Health.UP),
        TunnelEvent.TimestampAhead(1uL, 0uL),
        TunnelEvent.ClockLeapt,
        TunnelEvent.LayoutChanged,
    )

    @Test
    fun `every error has its code`() {
        val codes = vocabulary().statuses.map { it.number }.filter { it < 0 }
        assertEquals(codes.toSet(), errors.map { it.code() }.toSet())
        assertEquals(codes.size, errors.size)
        assertTrue(errors.all { it.toString().isNotEmpty() })
    }

    @Test
    fun `every event has its number`() {
        // The number 8 stays taken, and does not come.
        val kinds = vocabulary().events.filter { it.name != "lost" }.map { it.number.toUInt() }
        assertEquals(kinds.toSet(), events.map { it.kind() }.toSet())
    }

    @Test
    fun `every drop reason has its name`() {
        assertEquals(vocabulary().dropReasons.map { it.name.uppercase() } + "OTHER", DropReason.entries.map { it.name })
        assertEquals(vocabulary().dropReasons.map { it.number }, vocabulary().dropReasons.indices.toList())
    }

    @Test
    fun `every send error has its name`() {
        assertEquals(vocabulary().sendErrors.map { it.name.uppercase() }, SendError.entries.map { it.name })
        assertEquals(vocabulary().sendErrors.map { it.number }, vocabulary().sendErrors.indices.toList())
    }

    @Test
    fun `the library has a version`() {
        assertTrue(libraryVersion().matches(Regex("""\d+\.\d+\.\d+""")))
    }
}
