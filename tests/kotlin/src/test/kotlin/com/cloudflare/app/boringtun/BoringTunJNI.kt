package com.cloudflare.app.boringtun

import java.nio.ByteBuffer

/** boringtun as it is called from Java: the class and the names are those that its library asks for. Measured, not tested. */
@Suppress("FunctionName", "LongParameterList")
internal object BoringTunJNI {
    @JvmStatic external fun new_tunnel(secret: String, public: String, preshared: String?, keepalive: Short, index: Int): Long

    /** Seals [srcSize] bytes of [src] into [dst]. Gives the length, and in [op] what to do with it. */
    @JvmStatic external fun wireguard_write(tunnel: Long, src: ByteArray, srcSize: Int, dst: ByteBuffer, dstSize: Int, op: ByteBuffer): Int

    /** Opens [srcSize] bytes of [src] into [dst]. */
    @JvmStatic external fun wireguard_read(tunnel: Long, src: ByteArray, srcSize: Int, dst: ByteBuffer, dstSize: Int, op: ByteBuffer): Int
}
