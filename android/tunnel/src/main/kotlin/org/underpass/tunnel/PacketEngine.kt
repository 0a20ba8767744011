package org.underpass.tunnel

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.LongBuffer
import org.underpass.tunnel.internal.NativeFeed
import org.underpass.tunnel.internal.Tunnel
import org.underpass.tunnel.internal.vocabulary

/** A call that was refused. [code] is the number that every interface of the library has for the reason. */
public class PacketException internal constructor(public val code: Int, message: String) : RuntimeException(message)

/**
 * Moves packets and datagrams of a tunnel for an application that owns its sockets and its virtual interface.
 *
 * They lie in slots: slot `i` has [stride] bytes of [slab], from `i * stride`, and what is said of it is read and written by the
 * functions here, without an object per slot. A batch is the first slots. After each batch do what the verdicts ask for, then
 * call [pollTransmits] until it gives less than it was asked for, then [pollTimeout].
 *
 * One thread at a time: a call while another is under way is refused with code -17. Threads of their own take engines of their
 * own of the same tunnel; those wait for each other, for a batch. While a call is under way nobody else touches [slab]. [close] may
 * be called by any thread at any time. An engine that is not closed keeps its buffers and its tunnel for ever.
 */
public class PacketEngine @JvmOverloads constructor(
    tunnel: Tunnel,
    public val slots: Int = 64,
    public val stride: Int = 2048,
) : AutoCloseable {
    /** The memory of the slots. */
    public val slab: ByteBuffer
    private val facts: LongBuffer
    private val feed: Long

    init {
        if (slots !in 1..MAX_SLOTS || stride !in 1..MAX_STRIDE) refuse(ARGUMENT)
        slab = ByteBuffer.allocateDirect(slots * stride)
        val bytes = ByteBuffer.allocateDirect(slots * LONGS * Long.SIZE_BYTES).order(ByteOrder.nativeOrder())
        facts = bytes.asLongBuffer()
        feed = NativeFeed.open(tunnel.dataPlaneId().toLong(), slab, bytes, slots, stride)
        if (feed < 0) refuse(feed.toInt())
    }

    /** Bytes that a packet needs before it in its slot. */
    public val headroom: Int get() = checked(NativeFeed.headroom(feed))

    /** Bytes that a packet needs behind it in its slot. */
    public val tailroom: Int get() = checked(NativeFeed.tailroom(feed))

    /** Bytes that a slot must have for [pollTransmits]. */
    public val transmitBuffer: Int get() = checked(NativeFeed.transmitBuffer(feed))

    /** Seals the packets of the first [count] slots: [place] says where they are. */
    public fun handlePackets(count: Int) {
        checked(NativeFeed.handlePackets(feed, count))
    }

    /** Opens the datagrams of the first [count] slots: [place] says where they are, [setRemote] where they came from. */
    public fun handleDatagrams(count: Int) {
        checked(NativeFeed.handleDatagrams(feed, count))
    }

    /** Writes what is to be sent into the first slots, [max] at most. What they held is gone. Says how many. */
    public fun pollTransmits(max: Int = slots): Int = checked(NativeFeed.pollTransmits(feed, max))

    /** Does what has fallen due. */
    public fun handleTimeout() {
        checked(NativeFeed.handleTimeout(feed))
    }

    /** When [handleTimeout] is due, in nanoseconds of the tunnel's clock; -1: never, until something else is done. */
    public fun pollTimeout(): Long {
        val due = NativeFeed.pollTimeout(feed)
        if (due < 0) refuse(due.toInt())
        return if (due == Long.MAX_VALUE) -1 else due
    }

    /** Says that the datagram in [slot], which was to be sent, could not be. [kind] is a number of `vocabulary().sendErrors`. */
    public fun sendError(slot: Int, kind: Int) {
        checked(NativeFeed.sendError(feed, slot, kind))
    }

    /** Ends the engine, not the tunnel. A call that is under way is finished. Doing it again does nothing. */
    override fun close() {
        NativeFeed.close(feed)
    }

    /** Says that [slot] holds a packet or datagram of [len] bytes from [start], counted from the beginning of the slot. */
    public fun place(slot: Int, start: Int, len: Int) {
        set(slot, START, start.toLong())
        set(slot, LEN, len.toLong())
    }

    /** Where the packet or datagram begins, counted from the beginning of the slot. */
    public fun start(slot: Int): Int = fact(slot, START).toInt()

    /** Its bytes; 0 where there is nothing to send or deliver. */
    public fun len(slot: Int): Int = fact(slot, LEN).toInt()

    /** What became of it: one of [SEND], [DELIVER] and the others. */
    public fun verdict(slot: Int): Int = fact(slot, VERDICT).toInt()

    /** With [DROPPED] and [BOUNCE]: why, a number of `vocabulary().dropReasons`. */
    public fun reason(slot: Int): Int = fact(slot, REASON).toInt()

    /** Whom it goes to or comes from; 0: no peer. */
    public fun peer(slot: Int): Long = fact(slot, PEER)

    /** What the application calls that peer. */
    public fun user(slot: Int): Long = fact(slot, USER)

    /** The ECN bits of the outer header: given for a datagram that came, told for one that is to be sent. */
    public fun ecn(slot: Int): Int = fact(slot, ECN).toInt()

    public fun setEcn(slot: Int, bits: Int) {
        set(slot, ECN, bits.toLong())
    }

    /** The application's number of the socket. */
    public fun link(slot: Int): Int = fact(slot, LINK).toInt()

    public fun setLink(slot: Int, number: Int) {
        set(slot, LINK, number.toLong() and 0xffff_ffffL)
    }

    /** The other side's address: 4 or 6, and its bits as two numbers; of IPv4, all in [remoteLow]. */
    public fun remoteFamily(slot: Int): Int = fact(slot, REMOTE_FAMILY).toInt()

    public fun remoteHigh(slot: Int): Long = fact(slot, REMOTE_HIGH)

    public fun remoteLow(slot: Int): Long = fact(slot, REMOTE_LOW)

    public fun remotePort(slot: Int): Int = fact(slot, REMOTE_PORT).toInt()

    /** The interface of an IPv6 link-local address. */
    public fun remoteScope(slot: Int): Int = fact(slot, REMOTE_SCOPE).toInt()

    /** Where a datagram came from. */
    @JvmOverloads
    public fun setRemote(slot: Int, family: Int, high: Long, low: Long, port: Int, scope: Int = 0) {
        set(slot, REMOTE_FAMILY, family.toLong())
        set(slot, REMOTE_HIGH, high)
        set(slot, REMOTE_LOW, low)
        set(slot, REMOTE_PORT, port.toLong())
        set(slot, REMOTE_SCOPE, scope.toLong() and 0xffff_ffffL)
    }

    /** Our own address; family 0: not known, or the system's choice. */
    public fun localFamily(slot: Int): Int = fact(slot, LOCAL_FAMILY).toInt()

    public fun localHigh(slot: Int): Long = fact(slot, LOCAL_HIGH)

    public fun localLow(slot: Int): Long = fact(slot, LOCAL_LOW)

    public fun setLocal(slot: Int, family: Int, high: Long, low: Long) {
        set(slot, LOCAL_FAMILY, family.toLong())
        set(slot, LOCAL_HIGH, high)
        set(slot, LOCAL_LOW, low)
    }

    private fun fact(slot: Int, which: Int): Long {
        if (slot !in 0 until slots) refuse(ARGUMENT)
        return facts.get(slot * LONGS + which)
    }

    private fun set(slot: Int, which: Int, value: Long) {
        if (slot !in 0 until slots) refuse(ARGUMENT)
        facts.put(slot * LONGS + which, value)
    }

    private fun checked(answer: Int): Int = if (answer < 0) refuse(answer) else answer

    private fun refuse(code: Int): Nothing {
        val word = vocabulary().statuses.firstOrNull { it.number == code }?.name ?: "code $code"
        throw PacketException(code, if (code == CLOSED) "$word: the engine or its tunnel was closed" else word)
    }

    public companion object {
        /** Send the bytes of the slot along its path. */
        public const val SEND: Int = 1

        /** Give them to the virtual interface: a packet from [peer]. */
        public const val DELIVER: Int = 2

        /** A cookie reply: send them back where the datagram came from. */
        public const val REPLY: Int = 3

        /** An ICMP error: give it to the virtual interface. */
        public const val BOUNCE: Int = 4

        /** Taken in: poll. */
        public const val CONSUMED: Int = 5

        /** Copied, until there is a session: poll. */
        public const val STAGED: Int = 6

        /** Gone, and counted; [reason] says why. */
        public const val DROPPED: Int = 7

        /** Slots of an engine at most. */
        public const val MAX_SLOTS: Int = 256

        /** Bytes of a slot at most. */
        public const val MAX_STRIDE: Int = 131_072

        private const val CLOSED = -1
        private const val ARGUMENT = -3
        private const val LONGS = 16
        private const val START = 0
        private const val LEN = 1
        private const val VERDICT = 2
        private const val REASON = 3
        private const val PEER = 4
        private const val USER = 5
        private const val ECN = 6
        private const val LINK = 7
        private const val REMOTE_HIGH = 8
        private const val REMOTE_LOW = 9
        private const val REMOTE_FAMILY = 10
        private const val REMOTE_PORT = 11
        private const val REMOTE_SCOPE = 12
        private const val LOCAL_HIGH = 13
        private const val LOCAL_LOW = 14
        private const val LOCAL_FAMILY = 15
    }
}
