package org.underpass.tunnel.internal

import java.nio.ByteBuffer

/** The data plane of the library, as it is called. [org.underpass.tunnel.PacketEngine] is the door for applications. */
internal object NativeFeed {
    init {
        NativeLibrary.load()
    }

    /** A feed of a tunnel; below 0: a code. */
    @JvmStatic external fun open(dataPlaneId: Long, slab: ByteBuffer?, facts: ByteBuffer?, slots: Int, stride: Int): Long

    @JvmStatic external fun handlePackets(feed: Long, count: Int): Int

    @JvmStatic external fun handleDatagrams(feed: Long, count: Int): Int

    /** How many were written; below 0: a code. */
    @JvmStatic external fun pollTransmits(feed: Long, max: Int): Int

    @JvmStatic external fun handleTimeout(feed: Long): Int

    /** Nanoseconds of the tunnel's clock, [Long.MAX_VALUE] for never; below 0: a code. */
    @JvmStatic external fun pollTimeout(feed: Long): Long

    @JvmStatic external fun sendError(feed: Long, slot: Int, kind: Int): Int

    @JvmStatic external fun headroom(feed: Long): Int

    @JvmStatic external fun tailroom(feed: Long): Int

    @JvmStatic external fun transmitBuffer(feed: Long): Int

    @JvmStatic external fun close(feed: Long)

    /** How many feeds are open, for tests that look for leaks. */
    @JvmStatic external fun liveFeeds(): Int
}
