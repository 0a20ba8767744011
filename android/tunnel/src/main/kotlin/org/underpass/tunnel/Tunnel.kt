package org.underpass.tunnel

import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import org.underpass.tunnel.internal.EventLoop
import org.underpass.tunnel.internal.asking
import org.underpass.tunnel.internal.askingTunnel
import org.underpass.tunnel.internal.libraryVersion
import org.underpass.tunnel.internal.startPump
import org.underpass.tunnel.internal.toCore
import java.net.InetSocketAddress
import java.util.concurrent.atomic.AtomicBoolean
import org.underpass.tunnel.internal.Tunnel as CoreTunnel
import org.underpass.tunnel.internal.TunnelOptions as CoreOptions

/**
 * One running tunnel: the keys, the peers, and what is known of them. Any thread may call it at any time. It moves no packets by
 * itself: [startPump] or [packetEngine] does. What is refused is a [TunnelException].
 *
 * It is to be closed: its keys are wiped then.
 */
public class Tunnel @JvmOverloads constructor(config: TunnelConfig, options: TunnelOptions = TunnelOptions()) : AutoCloseable {
    private val mutableState = MutableStateFlow<TunnelState>(TunnelState.Connecting)
    private val mutableEvents = MutableSharedFlow<TunnelEvent>(extraBufferCapacity = 64, onBufferOverflow = BufferOverflow.DROP_OLDEST)
    private val closed = AtomicBoolean()
    private val loop = EventLoop(options.resolver, options.dispatcher, mutableState, mutableEvents)
    private val core: CoreTunnel = asking {
        CoreTunnel(CoreOptions(configuration = config.core, savedFloors = options.savedFloors, clock = options.clock), loop.observer)
    }

    /** What to show. It is never ahead of what was authenticated, see [TunnelState]. */
    public val state: StateFlow<TunnelState> = mutableState.asStateFlow()

    /** Events from now on. Who collects too slowly misses the oldest of them; [state] misses nothing. */
    public val events: Flow<TunnelEvent> = mutableEvents.asSharedFlow()

    /** The configuration that is in force. */
    @Volatile
    public var config: TunnelConfig = config
        private set

    init {
        loop.start(core)
    }

    /**
     * Puts another configuration in force, all of it or nothing. Peers that stay keep their sessions. Addresses, name servers and
     * routes of the virtual interface are its owner's to change.
     */
    public fun apply(config: TunnelConfig): Unit = askingTunnel {
        core.apply(config.core)
        this.config = config
        loop.refresh()
    }

    /** Says that the machine is at another network: names are resolved again, and peers hear from us. */
    public fun networkChanged(): Unit = askingTunnel { core.handleNetworkChange() }

    /** Says that the wall clock was set. */
    public fun wallClockChanged(): Unit = askingTunnel { core.handleWallClock() }

    /** Begins a handshake with a peer, or with all, that has no session, without waiting for a packet. */
    @JvmOverloads
    public fun connect(peer: PublicKey? = null): Unit = askingTunnel {
        val numbers = if (peer == null) core.peers().map { it.peer } else listOf(core.peerByKey(peer.core))
        numbers.forEach(core::connect)
    }

    /** Says where a peer is reached, when the application knows better than its configuration. */
    public fun setEndpoint(peer: PublicKey, endpoint: InetSocketAddress): Unit =
        askingTunnel { core.setEndpoint(core.peerByKey(peer.core), endpoint.toCore()) }

    /** Forgets the last timestamp of a peer whose clock was ahead and has been mended, see [TunnelEvent.TimestampAhead]. */
    public fun resetPeerTimestamp(peer: PublicKey): Unit = askingTunnel { core.resetPeerTimestamp(core.peerByKey(peer.core)) }

    /** The counters. It looks at every peer: once a second is often enough. */
    public fun statistics(): TunnelStatistics = askingTunnel {
        val all = core.statistics()
        TunnelStatistics(
            rxBytes = all.rxBytes.toLong(),
            txBytes = all.txBytes.toLong(),
            rxPackets = all.rxPackets.toLong(),
            txPackets = all.txPackets.toLong(),
            handshakes = all.handshakes.toLong(),
            sendErrors = all.sendErrors.toLong(),
            drops = core.drops().filter { it.count > 0uL }.associate { it.name to it.count.toLong() },
            peers = core.peers().map { it.toFacade() },
        )
    }

    /**
     * What is to be kept over the end of the tunnel, for [TunnelOptions]: so a clock that is set back locks nobody out. It says
     * who the peers are, and holds no key.
     */
    public fun savedFloors(): ByteArray = askingTunnel { core.savedFloors() }

    /** Packets in batches, for an application that owns its sockets and its virtual interface. */
    @JvmOverloads
    public fun packetEngine(slots: Int = 64, stride: Int = 2048): PacketEngine = askingTunnel { PacketEngine(core, slots, stride) }

    /**
     * Hands a TUN descriptor to a native thread, which moves packets until it is stopped. [protect] is asked for every socket before
     * it sends: when it answers `false`, nothing is sent and the start fails. [onStopped] is told when the thread ends unasked.
     */
    public fun startPump(tun: Int, protect: (socket: Int) -> Boolean, onStopped: (TunnelException) -> Unit): DataPlane =
        askingTunnel { startPump(core, tun, protect, onStopped) }

    /** Ends the tunnel and wipes its keys. Doing it again does nothing; any other call is refused as [ErrorCode.CLOSED] from now on. */
    override fun close() {
        if (!closed.compareAndSet(false, true)) return
        loop.stop()
        core.shutDown()
        core.close()
        loop.closed(null)
    }

    public companion object {
        /** The version of the native library. */
        @JvmStatic
        public val nativeVersion: String get() = asking { libraryVersion() }
    }
}
