package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import org.underpass.tunnel.PacketPump
import org.underpass.tunnel.PacketPumpException
import org.underpass.tunnel.SocketProtector
import java.io.File
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** Pumps over loopback, whose interfaces are pairs of sockets. The real ones are those of tests/interop. */
class PumpTest {
    /** A tunnel with a pump, and the world behind its interface. */
    private class Side(val tunnel: Tunnel, private val protector: SocketProtector = SocketProtector { true }) : AutoCloseable {
        val sockets = mutableListOf<Int>()
        val end = CompletableFuture<PacketPumpException>()
        val tun: Int
        val world: Int
        val pump: PacketPump

        init {
            val (tun, world) = packetPair()
            this.tun = tun
            this.world = world
            pump = PacketPump.start(tunnel, tun, { sockets += it; protector.protect(it) }) { end.complete(it) }
        }

        fun send(packet: ByteArray) {
            assertEquals(packet.size.toLong(), LibC.c.send(world, packet, packet.size.toLong(), 0))
        }

        fun receive(): ByteArray {
            val packet = ByteArray(2048)
            return packet.copyOf(LibC.c.recv(world, packet, packet.size.toLong(), 0).toInt())
        }

        override fun close() {
            pump.close()
            LibC.c.close(world)
            tunnel.shutDown()
            tunnel.close()
        }
    }

    private fun packet(from: Int, to: Int, len: Int, mark: Int): ByteArray {
        val packet = ByteArray(len) { (it * 7 + mark).toByte() }
        byteArrayOf(
            0x45, 0, (len shr 8).toByte(), len.toByte(), 0, 0, 0, 0, 64, 253.toByte(), 0, 0,
            10, 0, 0, from.toByte(), 10, 0, 0, to.toByte(),
        ).copyInto(packet)
        return packet
    }

    private fun made(own: PrivateKey, other: PrivateKey, host: Int, at: Endpoint?, observer: TunnelObserver? = null): Tunnel {
        val peer = PeerConfiguration(
            publicKey = other.publicKey(),
            presharedKey = null,
            allowedIps = listOf(Network("10.0.0.$host", 32u)),
            endpoint = at,
            persistentKeepalive = 0u,
        )
        val text = InterfaceConfiguration(privateKey = own)
        return Tunnel(TunnelOptions(configuration = Configuration.build(text, listOf(peer))), observer)
    }

    private fun lone(observer: TunnelObserver? = null): Tunnel =
        made(PrivateKey.generate(), PrivateKey.generate(), 2, Endpoint.Address(SocketAddress("127.0.0.1", 9u, 0u)), observer)

    private fun pair(loopback: String, observer: TunnelObserver? = null): Pair<Side, Side> {
        val (one, two) = PrivateKey.generate() to PrivateKey.generate()
        val gateway = Side(made(two, one, 1, null))
        val port = portOf(gateway.sockets.last()).toUShort()
        return Side(made(one, two, 2, Endpoint.Address(SocketAddress(loopback, port, 0u)), observer)) to gateway
    }

    private fun handleOf(pump: PacketPump): Long =
        PacketPump::class.java.getDeclaredField("pump").apply { isAccessible = true }.getLong(pump)

    private fun refused(code: Int, call: () -> Unit) {
        assertEquals(code, assertFailsWith<PacketPumpException> { call() }.code)
    }

    @Test
    fun `packets go both ways, over a rebind and another interface`() {
        for (loopback in listOf("127.0.0.1", "::1")) {
            val (phone, gateway) = pair(loopback)
            phone.use { gateway.use {
                for (mark in 0 until 100) {
                    phone.send(packet(1, 2, 64 + mark, mark))
                    assertContentEquals(packet(1, 2, 64 + mark, mark), gateway.receive())
                    gateway.send(packet(2, 1, 1400, mark))
                    assertContentEquals(packet(2, 1, 1400, mark), phone.receive())
                    if (mark % 10 == 0) phone.pump.rebind()
                }
                // A packet is there before it is counted.
                while (phone.pump.statistics().packetsIn < 100) Thread.onSpinWait()
                val numbers = phone.pump.statistics()
                assertEquals(listOf(100L, 100L, 140_000L, 0L), listOf(numbers.packetsOut, numbers.packetsIn, numbers.bytesIn, numbers.drops))
                assertEquals(22, phone.sockets.size, "each socket was asked about")

                val (tun, world) = packetPair()
                val old = phone.pump.replaceTun(tun)
                assertEquals(phone.tun, old)
                gateway.send(packet(2, 1, 100, 1))
                val packet = ByteArray(2048)
                assertEquals(100, LibC.c.recv(world, packet, 2048, 0))
                LibC.c.close(old)
                assertEquals(tun, phone.pump.stop())
                assertTrue(isOpen(tun))
                LibC.c.close(tun)
                LibC.c.close(world)
            } }
        }
        assertEquals(0, NativePump.livePumps())
    }

    @Test
    fun `lesson 30, a protector that refuses or throws ends the start, and the interface stays open`() {
        val (tun, world) = packetPair()
        lone().use { tunnel ->
            for (protector in listOf(SocketProtector { false }, SocketProtector { throw IllegalStateException("revoked") })) {
                var port = -1
                refused(PacketPumpException.NOT_PROTECTED) {
                    PacketPump.start(tunnel, tun, { port = portOf(it); protector.protect(it) })
                }
                assertEquals(0, port, "it was not bound yet")
                assertTrue(isOpen(tun))
                assertEquals(0uL, tunnel.statistics().txBytes)
            }
            var refuses = false
            PacketPump.start(tunnel, tun, { !refuses }).use { pump ->
                refuses = true
                refused(PacketPumpException.NOT_PROTECTED) { pump.rebind() }
                refuses = false
                pump.rebind()
                // A second pump of the tunnel.
                refused(-17) { PacketPump.start(tunnel, world, { true }) }
            }
            assertFalse(isOpen(tun), "close closes it")
            refused(-3) { PacketPump.start(tunnel, tun, { true }) }
            refused(-3) { PacketPump.start(tunnel, -1, { true }) }
            tunnel.shutDown()
            refused(-1) { PacketPump.start(tunnel, world, { true }) }
        }
        LibC.c.close(world)
        assertEquals(0, NativePump.livePumps())
    }

    @Test
    fun `use after the end is an exception, and closing again is none`() {
        val side = Side(lone())
        val tun = side.pump.stop()
        val (other, _) = packetPair()
        for (call in listOf({ side.pump.stop() }, { side.pump.rebind() }, { side.pump.replaceTun(other) }, { side.pump.statistics() })) {
            refused(-1) { call() }
        }
        assertTrue(isOpen(other))
        LibC.c.close(tun)
        side.close()
        side.pump.close()
        for (wrong in listOf(0L, -1L, Long.MAX_VALUE, Long.MIN_VALUE)) {
            assertEquals(-1, NativePump.stop(wrong))
            NativePump.close(wrong)
        }
        Side(lone()).use { assertEquals(-3, NativePump.statistics(handleOf(it.pump), LongArray(7)), "too short") }
    }

    @Test
    fun `an interface or a tunnel that goes ends the pump, which is told`() {
        val gone = Side(lone())
        LibC.c.close(gone.world)
        assertEquals(PacketPumpException.TUN_GONE, gone.end.get(1, TimeUnit.MINUTES).code)
        refused(PacketPumpException.ENDED) { gone.pump.rebind() }
        assertEquals(gone.tun, gone.pump.stop())
        LibC.c.close(gone.tun)
        gone.tunnel.shutDown()

        val shut = Side(lone())
        shut.tunnel.shutDown()
        assertEquals(-1, shut.end.get(1, TimeUnit.MINUTES).code)
        shut.close()

        // Whoever is told may stop it there.
        val (tun, world) = packetPair()
        val stopped = CompletableFuture<Int>()
        val pump = CompletableFuture<PacketPump>()
        val tunnel = lone()
        pump.complete(PacketPump.start(tunnel, tun, { true }) { stopped.complete(pump.get().stop()); error("passed over") })
        LibC.c.close(world)
        assertEquals(tun, stopped.get(1, TimeUnit.MINUTES))
        LibC.c.close(tun)
        tunnel.shutDown()
        assertEquals(0, NativePump.livePumps())
    }

    /** The observer of a tunnel is woken by the pump's own thread, which cannot wait for itself. */
    @Test
    fun `an observer may close the pump, and gets no answer that would have to wait`() {
        val codes = CompletableFuture<List<Int>>()
        val phone = CompletableFuture<Side>()
        val observer = Observer {
            val pump = phone.get().pump
            val calls = listOf({ pump.stop() }, { pump.rebind() }, { pump.replaceTun(phone.get().world) })
            codes.complete(calls.map { call -> assertFailsWith<PacketPumpException> { call() }.code })
            pump.close()
        }
        val (side, gateway) = pair("127.0.0.1", observer)
        phone.complete(side)
        side.send(packet(1, 2, 100, 1))
        assertEquals(listOf(-17, -17, -17), codes.get(1, TimeUnit.MINUTES))
        assertEquals(0, side.receive().size, "its interface was closed")
        side.close()
        gateway.close()
        assertEquals(0, NativePump.livePumps())
    }

    @Test
    fun `an idle pump sleeps`() {
        Side(lone()).use { side ->
            Thread.sleep(500)
            assertEquals(0, side.pump.statistics().wakeUps)
        }
    }

    /** Kilobytes that the process holds, its descriptors and its threads. */
    private fun held(): Triple<Int, Int, Int> {
        System.gc()
        val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }
        fun count(folder: String) = File(folder).list()!!.size
        return Triple(line.filter(Char::isDigit).toInt(), count("/proc/self/fd"), count("/proc/self/task"))
    }

    private fun comeAndGo(tunnel: Tunnel, times: Int) = repeat(times) { number ->
        val (tun, world) = packetPair()
        val pump = PacketPump.start(tunnel, tun, { true }) { }
        if (number % 2 == 0) LibC.c.close(pump.stop()) else pump.close()
        LibC.c.close(world)
    }

    @Test
    fun `ten thousand pumps leave nothing behind`() {
        lone().use { tunnel ->
            comeAndGo(tunnel, 1_000)
            val before = held()
            comeAndGo(tunnel, 10_000)
            val after = held()
            assertEquals(0, NativePump.livePumps())
            assertTrue(after.first - before.first < 48 * 1024, "$before $after")
            // Java opens a file, or starts a thread to compile with, when it likes.
            assertTrue(after.second - before.second < 20 && after.third - before.third < 10, "$before $after")
            tunnel.shutDown()
        }
    }

    @Test
    fun `threads that call while one closes are told, and none hangs`() {
        repeat(20) {
            val side = Side(lone())
            val threads = Executors.newFixedThreadPool(3)
            val ends = List(3) { number ->
                threads.submit<Int> {
                    try {
                        while (true) if (number == 0) side.pump.statistics() else side.pump.rebind()
                        @Suppress("UNREACHABLE_CODE")
                        0
                    } catch (end: PacketPumpException) {
                        end.code
                    }
                }
            }
            Thread.sleep(5)
            side.close()
            for (end in ends) assertTrue(end.get(1, TimeUnit.MINUTES) in setOf(-1, PacketPumpException.ENDED))
            threads.shutdown()
        }
        assertEquals(0, NativePump.livePumps())
    }
}
