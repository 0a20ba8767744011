package org.underpass.tunnel.internal

import com.sun.jna.LastErrorException
import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer

/** What tests need of Linux that Java does not have: on Android it is the system that makes virtual interfaces. */
interface LibC : Library {
    @Throws(LastErrorException::class) fun open(path: String, flags: Int): Int

    @Throws(LastErrorException::class) fun close(fd: Int): Int

    @Throws(LastErrorException::class) fun dup(fd: Int): Int

    @Throws(LastErrorException::class) fun ioctl(fd: Int, request: Long, argument: Pointer): Int

    @Throws(LastErrorException::class) fun fcntl(fd: Int, command: Int): Int

    @Throws(LastErrorException::class) fun socketpair(domain: Int, type: Int, protocol: Int, into: IntArray): Int

    @Throws(LastErrorException::class) fun send(fd: Int, bytes: ByteArray, len: Long, flags: Int): Long

    @Throws(LastErrorException::class) fun recv(fd: Int, bytes: ByteArray, len: Long, flags: Int): Long

    @Throws(LastErrorException::class) fun getsockname(fd: Int, into: ByteArray, len: IntArray): Int

    companion object {
        val c: LibC = Native.load("c", LibC::class.java)
    }
}

private const val O_RDWR = 2
private const val F_GETFD = 1
private const val AF_UNIX = 1
private const val SOCK_SEQPACKET = 5
private const val TUNSETIFF = 0x4004_54caL
private const val IFF_TUN_WITHOUT_HEADER = 0x1001

/** A virtual interface as `VpnService.Builder.establish` makes it: one packet a read, without a header. */
fun openTun(name: String): Int {
    val fd = LibC.c.open("/dev/net/tun", O_RDWR)
    Memory(40).use { request ->
        request.clear()
        request.setString(0, name)
        request.setShort(16, IFF_TUN_WITHOUT_HEADER.toShort())
        LibC.c.ioctl(fd, TUNSETIFF, request)
    }
    return fd
}

fun isOpen(fd: Int): Boolean = try {
    LibC.c.fcntl(fd, F_GETFD) >= 0
} catch (closed: LastErrorException) {
    false
}

/** The two ends of something that carries packets, as an interface does. */
fun packetPair(): Pair<Int, Int> {
    val ends = IntArray(2)
    LibC.c.socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends)
    return ends[0] to ends[1]
}

/** The port that a socket is bound to; 0: none. */
fun portOf(socket: Int): Int {
    val (name, len) = ByteArray(28) to intArrayOf(28)
    LibC.c.getsockname(socket, name, len)
    return (name[2].toInt() and 0xff shl 8) or (name[3].toInt() and 0xff)
}
