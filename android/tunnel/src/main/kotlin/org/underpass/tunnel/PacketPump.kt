package org.underpass.tunnel

import org.underpass.tunnel.internal.NativePump
import org.underpass.tunnel.internal.Tunnel
import org.underpass.tunnel.internal.vocabulary

/** Keeps the datagrams of a socket out of the tunnel: `VpnService.protect`. */
public fun interface SocketProtector {
    /** Protects a socket, given by its descriptor. `false`, or an exception: it could not, and the socket is not used. */
    public fun protect(socket: Int): Boolean
}

/** A call of the pump that was refused, or why the pump ended. */
public class PacketPumpException internal constructor(public val code: Int, message: String) : RuntimeException(message) {
    internal constructor(code: Int) : this(code, words(code))

    /** The codes of the pump's own; all others are those of `vocabulary().statuses`. */
    public companion object {
        /** A socket was refused protection. Nothing was sent by it. */
        public const val NOT_PROTECTED: Int = -101

        /** The virtual interface is gone, or cannot be read. */
        public const val TUN_GONE: Int = -102

        /** A socket could not be made. */
        public const val SOCKET: Int = -103

        /** There is neither IPv4 nor IPv6. */
        public const val NO_FAMILY: Int = -104

        /** There is no file descriptor left. */
        public const val DESCRIPTORS: Int = -105

        /** The system refused something else: a thread, a timer. */
        public const val SYSTEM: Int = -106

        /** The pump has ended by itself. [PacketPump.stop] still gives the interface back. */
        public const val ENDED: Int = -107

        private const val CLOSED = -1
        private const val BUSY = -17

        private fun words(code: Int): String = when (code) {
            NOT_PROTECTED -> "a socket was not protected: its datagrams would go into the tunnel"
            TUN_GONE -> "the virtual interface is gone"
            SOCKET -> "a UDP socket could not be made"
            NO_FAMILY -> "there is neither IPv4 nor IPv6"
            DESCRIPTORS -> "there is no file descriptor left"
            SYSTEM -> "the system refused a thread or a timer"
            ENDED -> "the pump has ended"
            CLOSED -> "the pump was stopped, or its tunnel was shut down"
            BUSY -> "another pump carries the tunnel, or the call came from the pump's own thread"
            else -> vocabulary().statuses.firstOrNull { it.number == code }?.name ?: "code $code"
        }
    }
}

/** What a pump has carried since it was started. */
public data class PumpStatistics(
    /** Packets from the virtual interface, their bytes, and the batches that they were sealed in. */
    public val packetsOut: Long,
    public val bytesOut: Long,
    public val batchesOut: Long,
    /** Packets to the virtual interface, their bytes, and the batches that they were opened in. */
    public val packetsIn: Long,
    public val bytesIn: Long,
    public val batchesIn: Long,
    /** Packets that the interface did not take, and runs of datagrams that could not be sent. */
    public val drops: Long,
    /** How often the pump's thread woke up. An idle tunnel never wakes it. */
    public val wakeUps: Long,
)

/**
 * Carries a tunnel between a virtual interface and sockets of its own, on one thread of the library; no packet comes through
 * Kotlin.
 *
 * Any thread may call any function at any time, but for functions that are called by the pump: in [SocketProtector.protect] and
 * in observers of the tunnel, which may run on the pump's thread, [stop], [rebind] and [replaceTun] are refused with code -17.
 * Such a function must not wait for a thread that waits for the pump. Events of the tunnel are the application's, as always.
 */
public class PacketPump private constructor(private val pump: Long) : AutoCloseable {
    /**
     * Puts new protected sockets in the place of those there are, after a change of network, and lets the peers hear from us:
     * `handleNetworkChange` of the tunnel is part of it. Throws [PacketPumpException] when a socket is not protected or cannot be
     * made; the pump goes on with the sockets that were there.
     */
    public fun rebind() {
        checked(NativePump.rebind(pump))
    }

    /**
     * Goes on with the descriptor [tun], which becomes the pump's, and hands back the old one, which the caller closes. Where it
     * throws, [tun] stays the caller's.
     */
    public fun replaceTun(tun: Int): Int = checked(NativePump.replaceTun(pump, tun))

    public fun statistics(): PumpStatistics {
        val numbers = LongArray(8)
        checked(NativePump.statistics(pump, numbers))
        return PumpStatistics(
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7],
        )
    }

    /** Stops and hands back the descriptor of the virtual interface, open and as it was. Later calls are refused with code -1. */
    public fun stop(): Int = checked(NativePump.stop(pump))

    /** Stops; the descriptor is closed. Doing it again, or after [stop], does nothing. */
    override fun close() {
        NativePump.close(pump)
    }

    private fun checked(answer: Int): Int = if (answer < 0) throw PacketPumpException(answer) else answer

    public companion object {
        /**
         * Starts a pump for [tunnel], which no other pump carries. The descriptor [tun] becomes the pump's, until it is handed
         * back; where this throws, it stays the caller's. [protector] is asked about each socket before it is used, by the thread
         * that calls. [onStopped] is told, once and by the pump's thread, when the pump ends by itself: the interface is gone, or
         * the tunnel was shut down. [stop] hands back the descriptor then too, and something must call it, or [close].
         */
        @JvmStatic
        @JvmOverloads
        public fun start(
            tunnel: Tunnel,
            tun: Int,
            protector: SocketProtector,
            onStopped: ((PacketPumpException) -> Unit)? = null,
        ): PacketPump {
            val listener = onStopped?.let { tell -> NativePump.Listener { code -> tell(PacketPumpException(code)) } }
            val pump = NativePump.start(tunnel.dataPlaneId().toLong(), tun, protector, listener)
            if (pump < 0) throw PacketPumpException(pump.toInt())
            return PacketPump(pump)
        }
    }
}
