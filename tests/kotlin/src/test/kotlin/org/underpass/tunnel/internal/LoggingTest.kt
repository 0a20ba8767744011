package org.underpass.tunnel.internal

import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Test
import org.underpass.tunnel.PacketPump
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** What the library says reaches the application, from its own threads too, and has no secrets. */
class LoggingTest {
    private val lines = CopyOnWriteArrayList<Pair<LogLevel, String>>()

    private val sink = object : LogSink {
        override fun log(level: LogLevel, line: String) {
            lines += level to line
            error("passed over")
        }
    }

    @AfterEach
    fun silence() = setLogging(LogLevel.INFO, null)

    private fun live() {
        val (tun, world) = packetPair()
        val tunnel = Tunnel(TunnelOptions(configuration = Configuration.parse(TEXT)), null)
        LibC.c.close(PacketPump.start(tunnel, tun, { true }).stop())
        LibC.c.close(world)
        tunnel.shutDown()
        tunnel.close()
    }

    @Test
    fun `the life of a tunnel and its pump, line by line`() {
        setLogging(LogLevel.DEBUG, sink)
        live()
        assertEquals(
            listOf("a tunnel was made", "the pump runs", "the pump has stopped", "a tunnel was shut down"),
            lines.map { it.second },
        )
        assertTrue(lines.all { it.first == LogLevel.INFO })
        for (unsaid in listOf(SECRET, PEER, "vpn.example", "10.0.0")) assertFalse(lines.any { unsaid in it.second }, unsaid)
    }

    @Test
    fun `levels are kept, and without a sink nothing is said here`() {
        setLogging(LogLevel.WARN, sink)
        live()
        setLogging(LogLevel.DEBUG, null)
        live()
        assertEquals(0, lines.size)
    }
}
