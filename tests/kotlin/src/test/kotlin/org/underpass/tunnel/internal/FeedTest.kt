package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import org.underpass.tunnel.PacketEngine
import org.underpass.tunnel.PacketException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Two ends that move packets through feeds, in batches. */
class FeedTest {
    internal class Side(val tunnel: Tunnel, val family: Int, val high: Long, val low: Long, val port: Int) : AutoCloseable {
        val engine = PacketEngine(tunnel)

        override fun close() {
            engine.close()
            tunnel.shutDown()
            tunnel.close()
        }
    }

    /** A packet of IPv4 or IPv6 that carries nothing known. */
    internal fun packet(inner6: Boolean, back: Boolean, len: Int, mark: Int): ByteArray {
        val packet = ByteArray(len) { (it * 7 + mark).toByte() }
        val (from, to) = if (back) 1 to 2 else 2 to 1
        if (inner6) {
            byteArrayOf(0x60, 0, 0, 0, ((len - 40) shr 8).toByte(), (len - 40).toByte(), 59, 64).copyInto(packet)
            ByteArray(32).also { it[0] = 0xfd.toByte(); it[15] = from.toByte(); it[16] = 0xfd.toByte(); it[31] = to.toByte() }
                .copyInto(packet, 8)
        } else {
            byteArrayOf(
                0x45, 0, (len shr 8).toByte(), len.toByte(), 0, 0, 0, 0, 64, 253.toByte(), 0, 0,
                10, 0, 0, from.toByte(), 10, 0, 0, to.toByte(),
            ).copyInto(packet)
        }
        return packet
    }

    internal fun pair(outer6: Boolean): Pair<Side, Side> {
        val clock = Clock.manual(5uL * SECOND, WALL)
        val (one, two) = PrivateKey.generate() to PrivateKey.generate()
        fun made(key: PrivateKey, other: PrivateKey, host: Int, at: String?): Tunnel {
            val peer = PeerConfiguration(
                publicKey = other.publicKey(),
                presharedKey = null,
                allowedIps = listOf(Network("10.0.0.$host", 32u), Network("fd00::$host", 128u)),
                endpoint = at?.let { Endpoint.Address(SocketAddress(it, 51820u, 0u)) },
                persistentKeepalive = 0u,
            )
            val text = InterfaceConfiguration(privateKey = key)
            return Tunnel(TunnelOptions(configuration = Configuration.build(text, listOf(peer)), clock = clock), null)
        }
        val phone = made(one, two, 1, if (outer6) "2001:db8::1" else "192.0.2.1")
        val gateway = made(two, one, 2, null)
        return if (outer6) {
            Side(phone, 6, 0x20010db800000000L, 7, 1000) to Side(gateway, 6, 0x20010db800000000L, 1, 51820)
        } else {
            Side(phone, 4, 0, 0xc0000207L, 1000) to Side(gateway, 4, 0, 0xc0000201L, 51820)
        }
    }

    internal fun put(engine: PacketEngine, slot: Int, start: Int, bytes: ByteArray) {
        engine.slab.duplicate().position(slot * engine.stride + start).put(bytes)
        engine.place(slot, start, bytes.size)
    }

    internal fun bytes(engine: PacketEngine, slot: Int): ByteArray {
        val bytes = ByteArray(engine.len(slot))
        engine.slab.duplicate().position(slot * engine.stride + engine.start(slot)).get(bytes)
        return bytes
    }

    /** Carries what the first slots of one end are to send to the other, and has it opened there. */
    private fun carry(from: Side, to: Side, count: Int) {
        for (slot in 0 until count) {
            assertEquals(PacketEngine.SEND, from.engine.verdict(slot))
            assertEquals(to.family, from.engine.remoteFamily(slot))
            assertEquals(to.high to to.low, from.engine.remoteHigh(slot) to from.engine.remoteLow(slot))
            assertEquals(to.port, from.engine.remotePort(slot))
            assertEquals(from.engine.peer(slot), from.tunnel.peers().single().peer.toLong())
            put(to.engine, slot, 0, bytes(from.engine, slot))
            to.engine.setRemote(slot, from.family, from.high, from.low, from.port)
            to.engine.setLocal(slot, to.family, to.high, to.low)
            to.engine.setEcn(slot, from.engine.ecn(slot))
        }
        to.engine.handleDatagrams(count)
    }

    internal fun connect(phone: Side, gateway: Side) {
        phone.tunnel.connect(phone.tunnel.peers().single().peer)
        assertEquals(1, phone.engine.pollTransmits())
        carry(phone, gateway, 1)
        assertEquals(PacketEngine.CONSUMED, gateway.engine.verdict(0))
        assertEquals(1, gateway.engine.pollTransmits())
        carry(gateway, phone, 1)
        assertEquals(PacketEngine.CONSUMED, phone.engine.verdict(0))
        // A keepalive, or what was staged.
        carry(phone, gateway, phone.engine.pollTransmits())
    }

    private fun exchange(from: Side, to: Side, inner6: Boolean, back: Boolean) {
        val sent = List(64) { packet(inner6, back, 60 + it * 21, it) }
        sent.forEachIndexed { slot, packet -> put(from.engine, slot, from.engine.headroom, packet) }
        from.engine.handlePackets(64)
        carry(from, to, 64)
        sent.forEachIndexed { slot, packet ->
            assertEquals(PacketEngine.DELIVER, to.engine.verdict(slot))
            assertContentEquals(packet, bytes(to.engine, slot))
        }
    }

    private fun refused(code: Int, word: String, body: () -> Unit) {
        val refusal = assertFailsWith<PacketException> { body() }
        assertEquals(code, refusal.code)
        assertTrue(word in refusal.message.orEmpty(), refusal.message)
    }

    @Test
    fun `packets go both ways`() {
        for (outer6 in listOf(false, true)) {
            val (phone, gateway) = pair(outer6)
            phone.use { gateway.use {
                connect(phone, gateway)
                for (inner6 in listOf(false, true)) {
                    exchange(phone, gateway, inner6, false)
                    exchange(gateway, phone, inner6, true)
                }
                assertTrue(phone.engine.pollTimeout() > 0)
                phone.engine.handleTimeout()
                put(phone.engine, 0, phone.engine.headroom, packet(false, false, 100, 1))
                phone.engine.handlePackets(1)
                phone.engine.sendError(0, 0)
                assertEquals(1uL, phone.tunnel.statistics().sendErrors)
            } }
        }
    }

    @Test
    fun `what is dropped says why`() {
        val (phone, gateway) = pair(false)
        val names = vocabulary().dropReasons.map { it.name }
        phone.use { gateway.use {
            put(phone.engine, 0, phone.engine.headroom, packet(false, false, 100, 0))
            phone.engine.handlePackets(1)
            assertEquals(PacketEngine.STAGED, phone.engine.verdict(0))
            connect(phone, gateway)
            put(phone.engine, 0, phone.engine.headroom, ByteArray(30))
            put(phone.engine, 1, 0, packet(false, false, 100, 0))
            phone.engine.handlePackets(2)
            assertEquals(PacketEngine.DROPPED, phone.engine.verdict(0))
            assertEquals(PacketEngine.DROPPED, phone.engine.verdict(1))
            assertEquals("no_room", names[phone.engine.reason(1)])
            put(gateway.engine, 0, 0, ByteArray(50))
            gateway.engine.setRemote(0, 4, 0, 1, 1)
            gateway.engine.handleDatagrams(1)
            assertEquals(PacketEngine.DROPPED, gateway.engine.verdict(0))
            assertEquals("malformed", names[gateway.engine.reason(0)])
            assertEquals(0, gateway.engine.len(0))
        } }
    }

    @Test
    fun `lesson 26 - no number from Java reaches memory unchecked`() {
        val (phone, gateway) = pair(false)
        phone.use { gateway.use {
            val engine = phone.engine
            for ((start, len) in listOf(-1 to 10, 0 to -1, 2048 to 1, 0 to 2049, Int.MAX_VALUE to Int.MAX_VALUE, Int.MIN_VALUE to 1)) {
                engine.place(0, start, len)
                refused(-3, "E_ARGUMENT") { engine.handlePackets(1) }
                refused(-3, "E_ARGUMENT") { engine.handleDatagrams(1) }
            }
            engine.place(0, 0, 100)
            refused(-3, "E_ARGUMENT") { engine.handlePackets(-1) }
            refused(-6, "E_BATCH") { engine.handlePackets(65) }
            refused(-6, "E_BATCH") { engine.pollTransmits(Int.MAX_VALUE) }
            refused(-3, "E_ARGUMENT") { engine.pollTransmits(-1) }
            for ((family, port) in listOf(0 to 1, 5 to 1, 4 to -1, 4 to 65536)) {
                engine.setRemote(0, family, 0, 1, port)
                refused(-3, "E_ARGUMENT") { engine.handleDatagrams(1) }
            }
            engine.setRemote(0, 4, 0, 0x1_0000_0000L, 1)
            refused(-3, "E_ARGUMENT") { engine.handleDatagrams(1) }
            engine.setRemote(0, 4, 0, 1, 1)
            engine.setEcn(0, 4)
            refused(-3, "E_ARGUMENT") { engine.handleDatagrams(1) }
            refused(-3, "E_ARGUMENT") { engine.sendError(64, 0) }
            refused(-3, "E_ARGUMENT") { engine.sendError(0, 99) }
            refused(-3, "E_ARGUMENT") { engine.verdict(64) }
            refused(-3, "E_ARGUMENT") { PacketEngine(phone.tunnel, 0) }
            refused(-3, "E_ARGUMENT") { PacketEngine(phone.tunnel, 257) }
            PacketEngine(phone.tunnel, 4, 64).use { small -> refused(-4, "E_BUFFER") { small.pollTransmits() } }
        } }
    }

    @Test
    fun `lesson 26 - buffers are direct, large enough, aligned, apart and may be written to`() {
        val (phone, gateway) = pair(false)
        phone.use { gateway.use {
            val id = phone.tunnel.dataPlaneId().toLong()
            fun direct(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
            val (slab, facts) = direct(4096) to direct(256)
            val before = NativeFeed.liveFeeds()
            val rows = listOf(
                Triple(-3L, ByteBuffer.allocate(4096), facts),
                Triple(-3L, slab, ByteBuffer.allocate(256)),
                Triple(-4L, direct(4095), facts),
                Triple(-4L, slab, direct(255)),
                Triple(-3L, slab.asReadOnlyBuffer(), facts),
                Triple(-5L, slab, slab),
                Triple(-3L, slab, direct(300).position(1).slice()),
                Triple(-1L, null, facts),
                Triple(-1L, slab, null),
            )
            for ((code, one, two) in rows) assertEquals(code, NativeFeed.open(id, one, two, 2, 2048), "$one $two")
            assertEquals(-1L, NativeFeed.open(id xor 1, slab, facts, 2, 2048))
            assertEquals(-3L, NativeFeed.open(id, slab, facts, 2, Int.MAX_VALUE))
            assertEquals(-3L, NativeFeed.open(id, slab, facts, -1, 2048))
            val feed = NativeFeed.open(id, slab, facts, 2, 2048)
            assertTrue(feed > 0)
            assertEquals(-5L, NativeFeed.open(id, slab, direct(256), 2, 2048), "two feeds over one slab")
            assertEquals(before + 1, NativeFeed.liveFeeds())
            NativeFeed.close(feed)
            assertEquals(before, NativeFeed.liveFeeds())
            for (wrong in listOf(0L, -1L, feed, feed + 1, Long.MAX_VALUE, Long.MIN_VALUE)) {
                assertEquals(-1, NativeFeed.handlePackets(wrong, 1))
                assertEquals(-1, NativeFeed.handleTimeout(wrong))
                assertEquals(-1L, NativeFeed.pollTimeout(wrong))
                NativeFeed.close(wrong)
            }
        } }
    }

    @Test
    fun `a closed engine and a closed tunnel are said to be so`() {
        val (phone, gateway) = pair(false)
        phone.use { gateway.use {
            phone.engine.close()
            phone.engine.close()
            refused(-1, "E_NULL") { phone.engine.handlePackets(0) }
            gateway.tunnel.shutDown()
            refused(-1, "E_NULL") { gateway.engine.pollTimeout() }
            refused(-1, "E_NULL") { PacketEngine(gateway.tunnel) }
        } }
    }

    @Test
    fun `ten thousand engines leave nothing behind`() {
        val (phone, gateway) = pair(false)
        phone.use { gateway.use {
            val before = NativeFeed.liveFeeds()
            val (slab, facts) = ByteBuffer.allocateDirect(4096) to ByteBuffer.allocateDirect(256)
            repeat(10_000) {
                val feed = NativeFeed.open(phone.tunnel.dataPlaneId().toLong(), slab, facts, 2, 2048)
                assertTrue(feed > 0)
                NativeFeed.close(feed)
            }
            assertEquals(before, NativeFeed.liveFeeds())
        } }
    }

    /** A second thread is refused as busy or has its turn; when the engine is closed meanwhile, all are told. */
    @Test
    fun `threads on one engine are refused, and one may close it`() {
        val (phone, gateway) = pair(false)
        val threads = Executors.newFixedThreadPool(3)
        phone.use { gateway.use {
            val before = NativeFeed.liveFeeds()
            val ends = List(3) {
                threads.submit(Callable {
                    val codes = mutableSetOf<Int>()
                    while (-1 !in codes) {
                        try {
                            phone.engine.handlePackets(64)
                        } catch (refusal: PacketException) {
                            codes += refusal.code
                        }
                    }
                    codes
                })
            }
            Thread.sleep(100)
            phone.engine.close()
            for (end in ends) assertTrue(setOf(-1, -17).containsAll(end.get()))
            threads.shutdown()
            threads.awaitTermination(1, java.util.concurrent.TimeUnit.MINUTES)
            assertEquals(before - 1, NativeFeed.liveFeeds())
        } }
    }
}
