package org.underpass.tunnel.internal

import org.underpass.tunnel.SocketProtector

/** The pump of the library, as it is called. [org.underpass.tunnel.PacketPump] is the door for applications. */
internal object NativePump {
    init {
        NativeLibrary.load()
    }

    /** Told by the pump's own thread. The library looks the function up by its name. */
    internal fun interface Listener {
        fun stopped(code: Int)
    }

    /** A pump; below 0: a code, and [tun] stays the caller's. */
    @JvmStatic external fun start(dataPlaneId: Long, tun: Int, protector: SocketProtector?, listener: Listener?): Long

    @JvmStatic external fun rebind(pump: Long): Int

    /** The old descriptor; below 0: a code, and [tun] stays the caller's. */
    @JvmStatic external fun replaceTun(pump: Long, tun: Int): Int

    /** Eight numbers, in the order of [org.underpass.tunnel.PumpStatistics]. */
    @JvmStatic external fun statistics(pump: Long, into: LongArray): Int

    /** The descriptor; below 0: a code. */
    @JvmStatic external fun stop(pump: Long): Int

    @JvmStatic external fun close(pump: Long)

    /** How many pumps there are, for tests that look for leaks. */
    @JvmStatic external fun livePumps(): Int
}
