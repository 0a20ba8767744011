package org.underpass.tunnel.internal

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** 2026-01-01 in nanoseconds since 1970. */
private const val WALL: ULong = 1_767_225_600_000_000_000uL
private const val SECOND: ULong = 1_000_000_000uL

/** One end of a tunnel: the library of this machine or the emulated one, with a clock that stands still and a feed. */
abstract class End : AutoCloseable {
    abstract fun write(slot: Int, start: Int, bytes: ByteArray)

    abstract fun read(slot: Int, start: Int, len: Int): ByteArray

    abstract fun fact(slot: Int, which: Int): Long

    abstract fun set(slot: Int, which: Int, value: Long)

    abstract fun handlePackets(count: Int): Int

    abstract fun handleDatagrams(count: Int): Int

    abstract fun pollTransmits(max: Int): Int

    abstract fun headroom(): Int

    /** The library's randomness is that of this seed from here on. */
    abstract fun seed(seed: Long)

    fun put(slot: Int, start: Int, bytes: ByteArray) {
        write(slot, start, bytes)
        set(slot, START, start.toLong())
        set(slot, LEN, bytes.size.toLong())
    }

    fun bytes(slot: Int): ByteArray = read(slot, fact(slot, START).toInt(), fact(slot, LEN).toInt())

    /** All that is said of a slot, beside the peer's number, which is of each run. */
    fun facts(slot: Int): List<Long> = (0 until LONGS).map { fact(slot, it) }

    companion object {
        const val SLOTS = 64
        const val STRIDE = 2048
        const val LONGS = 16
        const val START = 0
        const val LEN = 1
        const val VERDICT = 2
        const val REMOTE_LOW = 9
        const val REMOTE_FAMILY = 10
        const val REMOTE_PORT = 11
        const val SEND = 1L
        const val DELIVER = 2L
        const val CONSUMED = 5L
        const val STAGED = 6L

        fun clock() = Clock.manual(5uL * SECOND, WALL)
    }
}

/** The library of this machine, by the generated Kotlin and NativeFeed. */
class HostEnd(text: String) : End() {
    private val tunnel = Tunnel(TunnelOptions(configuration = Configuration.parse(text), clock = clock()), null)
    private val slab = ByteBuffer.allocateDirect(SLOTS * STRIDE)
    private val facts = ByteBuffer.allocateDirect(SLOTS * LONGS * Long.SIZE_BYTES).order(ByteOrder.nativeOrder())
    private val feed = NativeFeed.open(tunnel.dataPlaneId().toLong(), slab, facts, SLOTS, STRIDE).also { check(it > 0) { "$it" } }

    override fun write(slot: Int, start: Int, bytes: ByteArray) {
        slab.duplicate().position(slot * STRIDE + start).put(bytes)
    }

    override fun read(slot: Int, start: Int, len: Int) =
        ByteArray(len).also { slab.duplicate().position(slot * STRIDE + start).get(it) }

    override fun fact(slot: Int, which: Int) = facts.getLong((slot * LONGS + which) * Long.SIZE_BYTES)

    override fun set(slot: Int, which: Int, value: Long) {
        facts.putLong((slot * LONGS + which) * Long.SIZE_BYTES, value)
    }

    override fun handlePackets(count: Int) = NativeFeed.handlePackets(feed, count)

    override fun handleDatagrams(count: Int) = NativeFeed.handleDatagrams(feed, count)

    override fun pollTransmits(max: Int) = NativeFeed.pollTransmits(feed, max)

    override fun headroom() = NativeFeed.headroom(feed)

    override fun seed(seed: Long) = Randomness.seedHost(seed)

    override fun close() {
        NativeFeed.close(feed)
        tunnel.shutDown()
        tunnel.close()
    }
}

/** The emulated library: the control plane by its C functions, the feed by the functions that it registered. */
class EmulatedEnd(private val bionic: Bionic, text: String) : End() {
    private val door = Door(bionic)
    private val tunnel = door.handle("constructor_tunnel_new", options(text), byteArrayOf(0))
    private val slab = bionic.Buffer(SLOTS * STRIDE)
    private val facts = bionic.Buffer(SLOTS * LONGS * Long.SIZE_BYTES)
    private val feed: Long

    init {
        val id = door.handle("method_tunnel_data_plane_id", mine())
        feed = bionic.long(
            "open(JLjava/nio/ByteBuffer;Ljava/nio/ByteBuffer;II)J", id, slab.asObject, facts.asObject, SLOTS, STRIDE,
        )
        check(feed > 0) { "$feed" }
    }

    /** A reference for one call, which ends it. */
    private fun mine() = door.handle("clone_tunnel", tunnel)

    /** The options of the host with the objects of the emulated library in the places of its own. */
    private fun options(text: String): ByteArray {
        val (configuration, clock) = Configuration.parse(text) to clock()
        var bytes = Door.written(TunnelOptions(configuration = configuration, clock = clock), FfiConverterTypeTunnelOptions)
        bytes = replaced(bytes, FfiConverterTypeConfiguration.lower(configuration), door.handle("constructor_configuration_parse", text.encodeToByteArray()))
        return replaced(bytes, FfiConverterTypeClock.lower(clock), door.handle("constructor_clock_manual", (5uL * SECOND).toLong(), WALL.toLong()))
    }

    private fun replaced(bytes: ByteArray, old: Long, new: Long): ByteArray {
        val buffer = ByteBuffer.wrap(bytes.clone())
        val places = (0..bytes.size - Long.SIZE_BYTES).filter { buffer.getLong(it) == old }
        buffer.putLong(places.single(), new)
        return buffer.array()
    }

    override fun write(slot: Int, start: Int, bytes: ByteArray) =
        slab.memory.write((slot * STRIDE + start).toLong(), bytes, 0, bytes.size)

    override fun read(slot: Int, start: Int, len: Int): ByteArray = slab.memory.getByteArray((slot * STRIDE + start).toLong(), len)

    override fun fact(slot: Int, which: Int) = facts.memory.getLong((slot * LONGS + which).toLong() * Long.SIZE_BYTES)

    override fun set(slot: Int, which: Int, value: Long) =
        facts.memory.setLong((slot * LONGS + which).toLong() * Long.SIZE_BYTES, value)

    override fun handlePackets(count: Int) = bionic.int("handlePackets(JI)I", feed, count)

    override fun handleDatagrams(count: Int) = bionic.int("handleDatagrams(JI)I", feed, count)

    override fun pollTransmits(max: Int) = bionic.int("pollTransmits(JI)I", feed, max)

    override fun headroom() = bionic.int("headroom(J)I", feed)

    override fun seed(seed: Long) = bionic.randomness.seed(seed)

    override fun close() {
        bionic.void("close(J)V", feed)
        door.handle("method_tunnel_shut_down", mine())
        door.handle("free_tunnel", tunnel)
    }
}
