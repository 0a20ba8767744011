package org.underpass.tunnel.internal

import com.cloudflare.app.boringtun.BoringTunJNI
import java.nio.ByteBuffer
import org.underpass.tunnel.PacketEngine

/** Packets of a batch. */
private const val BATCH = 64

/** Seals packets of one length and opens them at the other end; [flight] adds what both took, in nanoseconds. */
private interface Contestant {
    fun flight(took: LongArray)
}

/** Feed mode, in batches. */
private class Feed(len: Int) : Contestant {
    private val scene = FeedTest()
    private val ends = scene.pair(false)
    private val packet = scene.packet(false, false, len, 0)

    init {
        scene.connect(ends.first, ends.second)
    }

    override fun flight(took: LongArray) {
        val (phone, gateway) = ends
        for (slot in 0 until BATCH) scene.put(phone.engine, slot, phone.engine.headroom, packet)
        var begun = System.nanoTime()
        phone.engine.handlePackets(BATCH)
        took[0] += System.nanoTime() - begun
        for (slot in 0 until BATCH) {
            check(phone.engine.verdict(slot) == PacketEngine.SEND)
            scene.put(gateway.engine, slot, 0, scene.bytes(phone.engine, slot))
            gateway.engine.setRemote(slot, phone.family, phone.high, phone.low, phone.port)
        }
        begun = System.nanoTime()
        gateway.engine.handleDatagrams(BATCH)
        took[1] += System.nanoTime() - begun
        for (slot in 0 until BATCH) check(gateway.engine.verdict(slot) == PacketEngine.DELIVER)
    }

    /** The least that a call of each plane costs: an empty batch, and a number of the tunnel. */
    fun calls(count: Int, took: LongArray) {
        val (phone, _) = ends
        var begun = System.nanoTime()
        repeat(count) { phone.engine.handlePackets(0) }
        took[0] += System.nanoTime() - begun
        begun = System.nanoTime()
        repeat(count) { check(phone.tunnel.dataPlaneId() != 0uL) }
        took[1] += System.nanoTime() - begun
    }
}

/** boringtun by its JNI: a call for each packet, from an array into a direct buffer. */
private class Boringtun(private val len: Int) : Contestant {
    private class Packet(room: Int) {
        val array = ByteArray(room)
        val direct: ByteBuffer = ByteBuffer.allocateDirect(room)
        var len = 0
    }

    private val op = ByteBuffer.allocateDirect(1)
    private val plain = FeedTest().packet(false, false, len, 0)
    private val room = maxOf(len + 32, 148)
    private val packets = List(BATCH) { Packet(room) }
    private val ends: List<Long>

    init {
        val keys = List(2) { PrivateKey.generate() }
        ends = List(2) { me ->
            val (secret, public) = keys[me].toBase64() to keys[1 - me].publicKey().toBase64()
            BoringTunJNI.new_tunnel(secret, public, null, 0, me).also { check(it != 0L) }
        }
        val letter = packets.first()
        // An empty packet, which is kept, asks for a session; three datagrams later there is one.
        letter.len = BoringTunJNI.wireguard_write(ends[0], letter.array, 0, letter.direct, room, op)
        for (end in listOf(ends[1], ends[0], ends[1])) read(end, letter)
    }

    /** What is in the direct buffer arrives. */
    private fun arrive(packet: Packet) {
        packet.direct.duplicate().get(packet.array, 0, packet.len)
    }

    private fun read(end: Long, packet: Packet) {
        arrive(packet)
        packet.len = BoringTunJNI.wireguard_read(end, packet.array, packet.len, packet.direct, room, op)
    }

    override fun flight(took: LongArray) {
        for (packet in packets) plain.copyInto(packet.array)
        var begun = System.nanoTime()
        for (packet in packets) packet.len = BoringTunJNI.wireguard_write(ends[0], packet.array, len, packet.direct, room, op)
        took[0] += System.nanoTime() - begun
        for (packet in packets) arrive(packet)
        begun = System.nanoTime()
        for (packet in packets) {
            packet.len = BoringTunJNI.wireguard_read(ends[1], packet.array, packet.len, packet.direct, room, op)
        }
        took[1] += System.nanoTime() - begun
        for (packet in packets) check(packet.len == len) { "boringtun opened ${packet.len} bytes, not $len" }
    }
}

/**
 * Plays what a line says, in nanoseconds of all packets or calls: `feed LEN FLIGHTS` and `boringtun LEN FLIGHTS` answer what sealing
 * and opening took, `calls COUNT` what calls into both planes took. Started by `make bench`; the argument is boringtun's library.
 */
fun main(arguments: Array<String>) {
    arguments.firstOrNull()?.let(System::load)
    val calls by lazy { Feed(64) }
    val contestants = mutableMapOf<Pair<String, Int>, Contestant>()
    for (line in generateSequence(::readlnOrNull)) {
        val words = line.split(' ')
        val took = LongArray(2)
        when (words[0]) {
            "calls" -> calls.calls(words[1].toInt(), took)
            else -> {
                val len = words[1].toInt()
                val contestant = contestants.getOrPut(words[0] to len) { if (words[0] == "feed") Feed(len) else Boringtun(len) }
                repeat(words[2].toInt()) { contestant.flight(took) }
            }
        }
        println("${took[0]} ${took[1]}")
    }
}
