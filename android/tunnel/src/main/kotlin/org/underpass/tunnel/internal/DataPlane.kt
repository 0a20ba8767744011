package org.underpass.tunnel.internal

import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.ErrorCode
import org.underpass.tunnel.TunnelException as FacadeException

/** Starts the pump of this library on a TUN descriptor. [protect] is asked for every socket before it is used. */
internal fun startPump(
    tunnel: Tunnel,
    tun: Int,
    protect: (Int) -> Boolean,
    onStopped: (FacadeException) -> Unit,
): DataPlane {
    // PacketPump joins here:
    //   val pump = PacketPump.start(tunnel, tun, SocketProtector(protect)) { onStopped(FacadeException(ErrorCode.DATA_PLANE, it.message, it)) }
    //   return object : DataPlane {
    //       override fun rebind() = pump.rebind()
    //       override fun replaceTun(tun: Int) = pump.replaceTun(tun)
    //       override fun stop() = pump.stop()
    //   }
    throw FacadeException(ErrorCode.DATA_PLANE, "this library was built without its pump")
}
