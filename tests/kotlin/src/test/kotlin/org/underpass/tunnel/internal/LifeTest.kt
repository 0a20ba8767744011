package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class LifeTest {
    /** Kilobytes of memory that the process holds. */
    private fun resident(): Int {
        System.gc()
        val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }
        return line.filter(Char::isDigit).toInt()
    }

    private fun comeAndGo(times: Int) = repeat(times) { number ->
        val tunnel = Tunnel(TunnelOptions(), Observer())
        tunnel.setMtu(1280u)
        // Half of them are shut down, the others only let go of.
        if (number % 2 == 0) tunnel.shutDown()
        tunnel.close()
    }

    @Test
    fun `ten thousand tunnels leave nothing behind`() {
        comeAndGo(1_000)
        val before = resident()
        comeAndGo(10_000)
        assertEquals(0uL, liveTunnels())
        assertEquals(0, FfiConverterTypeTunnelObserver.handleMap.size, "observers that nobody lets go of")
        val grown = resident() - before
        assertTrue(grown < 48 * 1024, "$grown KiB")
    }

    @Test
    fun `many threads call while one shuts down`() {
        val tunnel = tunnel(Observer())
        val threads = Executors.newFixedThreadPool(4)
        try {
            val ends = threads.invokeAllLater(4) {
                var calls = 0
                try {
                    while (true) {
                        tunnel.setMtu((1280 + calls % 8).toUShort())
                        tunnel.nextEvent()
                        calls += 1
                    }
                    @Suppress("UNREACHABLE_CODE")
                    null
                } catch (end: TunnelException) {
                    end.code()
                }
            }
            while (tunnel.layout().mtu < 1283u) Thread.onSpinWait()
            tunnel.shutDown()
            assertEquals(listOf<Int?>(-1, -1, -1, -1), ends.map { it.get() })
        } finally {
            threads.shutdownNow()
            tunnel.close()
        }
    }

    private fun <T> java.util.concurrent.ExecutorService.invokeAllLater(count: Int, body: () -> T) =
        List(count) { submit(Callable { body() }) }
}
