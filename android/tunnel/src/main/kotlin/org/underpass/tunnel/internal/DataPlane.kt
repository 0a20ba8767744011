package org.underpass.tunnel.internal

import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.ErrorCode
import org.underpass.tunnel.TunnelException as FacadeException

/** Starts the pump of this library on a TUN descriptor. [protect] is asked for every socket before it is used. */
@Suppress("UNUSED_PARAMETER")
internal fun startPump(
    tunnel: Tunnel,
    tun: Int,
    protect: (Int) -> Boolean,
    onStopped: (FacadeException) -> Unit,
): DataPlane {
    // The one line that joins PacketPump, with the class below:
    //   return PumpPlane(pumping { PacketPump.start(tunnel, tun, SocketProtector(protect)) { onStopped(stopped(it)) } })
    throw FacadeException(ErrorCode.DATA_PLANE, "this library was built without its pump")
}

// private class PumpPlane(private val pump: PacketPump) : DataPlane {
//     override fun rebind() = pumping { pump.rebind() }
//     override fun replaceTun(tun: Int): Int = pumping { pump.replaceTun(tun) }
//     override fun stop(): Int = try {
//         pump.stop()
//     } catch (_: PacketPumpException) {
//         -1
//     }
// }
//
// private inline fun <T> pumping(body: () -> T): T = try {
//     body()
// } catch (refused: PacketPumpException) {
//     throw stopped(refused)
// }
//
// private fun stopped(cause: PacketPumpException) = FacadeException(ErrorCode.DATA_PLANE, cause.message, cause)
