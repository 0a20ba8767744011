package org.underpass.tunnel

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runInterruptible
import org.underpass.tunnel.internal.Clock
import java.net.InetAddress

/** How a [Tunnel] is run. */
public class TunnelOptions @JvmOverloads constructor(
    /** Resolves names of endpoints. It must not ask through the tunnel itself. */
    public val resolver: EndpointResolver = EndpointResolver.SYSTEM,
    /** What [Tunnel.savedFloors] gave in an earlier life. */
    savedFloors: ByteArray? = null,
    /** Where events are handled. */
    public val dispatcher: CoroutineDispatcher = Dispatchers.Default,
) {
    internal val savedFloors: ByteArray? = savedFloors?.copyOf()

    /** For tests: a clock that they move. */
    internal var clock: Clock? = null
}

/** Resolves the name of an endpoint. */
public fun interface EndpointResolver {
    /** All addresses of [host], the best first. What it throws is told as [TunnelEvent.ResolutionFailed]. */
    public suspend fun resolve(host: String): List<InetAddress>

    public companion object {
        /** The resolver of the process. Below a full tunnel on Android it would ask through the tunnel. */
        @JvmField
        public val SYSTEM: EndpointResolver = EndpointResolver { host ->
            runInterruptible(Dispatchers.IO) { InetAddress.getAllByName(host).toList() }
        }
    }
}
