package org.underpass.tunnel

import org.junit.jupiter.api.Test
import org.underpass.tunnel.internal.LibC
import org.underpass.tunnel.internal.packetPair
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** The pump by way of [Tunnel.startPump]. What a pump does is told by PumpTest. */
class PumpedTest {
    private fun tunnel() = Tunnel(TunnelConfig.parse(TEXT), TunnelOptions(EndpointResolver { emptyList() }))

    @Test
    fun `it starts, takes another interface, and gives the last one back`() {
        val (first, world) = packetPair()
        val (second, other) = packetPair()
        val asked = mutableListOf<Int>()
        tunnel().use { tunnel ->
            val plane = tunnel.startPump(first, { asked += it; true }) { }
            assertTrue(asked.isNotEmpty())
            val before = asked.size
            plane.rebind()
            assertTrue(asked.size > before, "new sockets are protected")
            assertEquals(first, plane.replaceTun(second))
            assertEquals(second, plane.stop())
            assertEquals(-1, plane.stop())
            plane.close()
        }
        for (descriptor in listOf(first, world, second, other)) assertEquals(0, LibC.c.close(descriptor))
    }

    @Test
    fun `a socket that is not protected is an error, and the interface stays the caller's`() {
        val (tun, world) = packetPair()
        tunnel().use { tunnel ->
            val refused = assertFailsWith<TunnelException> { tunnel.startPump(tun, { false }) { } }
            assertEquals(ErrorCode.DATA_PLANE.number, refused.code)
            assertTrue("not protected" in refused.message.orEmpty(), refused.message)
        }
        for (descriptor in listOf(tun, world)) assertEquals(0, LibC.c.close(descriptor))
    }

    @Test
    fun `an end by itself is told, and the interface is still given back`() {
        val (tun, world) = packetPair()
        val end = CompletableFuture<TunnelException>()
        val tunnel = tunnel()
        val plane = tunnel.startPump(tun, { true }) { end.complete(it) }
        tunnel.close()
        assertEquals(ErrorCode.DATA_PLANE.number, end.get(60, TimeUnit.SECONDS).code)
        assertEquals(tun, plane.stop())
        for (descriptor in listOf(tun, world)) assertEquals(0, LibC.c.close(descriptor))
    }
}
