package org.underpass.tunnel.internal

import org.underpass.tunnel.DataPlane
import org.underpass.tunnel.ErrorCode
import org.underpass.tunnel.PacketPump
import org.underpass.tunnel.PacketPumpException
import org.underpass.tunnel.TunnelException as FacadeException

/** Starts the pump of this library on a TUN descriptor. [protect] is asked for every socket before it is used. */
internal fun startPump(
    tunnel: Tunnel,
    tun: Int,
    protect: (Int) -> Boolean,
    onStopped: (FacadeException) -> Unit,
): DataPlane = PumpPlane(pumping { PacketPump.start(tunnel, tun, protect) { onStopped(stopped(it)) } })

private class PumpPlane(private val pump: PacketPump) : DataPlane {
    override fun rebind() = pumping { pump.rebind() }

    override fun replaceTun(tun: Int): Int = pumping { pump.replaceTun(tun) }

    override fun stop(): Int = try {
        pump.stop()
    } catch (_: PacketPumpException) {
        // It was stopped before, and the descriptor given back then.
        -1
    }
}

private inline fun <T> pumping(body: () -> T): T = try {
    body()
} catch (refused: PacketPumpException) {
    throw stopped(refused)
}

private fun stopped(cause: PacketPumpException) = FacadeException(ErrorCode.DATA_PLANE, cause.message, cause)
