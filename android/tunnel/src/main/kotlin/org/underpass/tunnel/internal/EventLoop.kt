package org.underpass.tunnel.internal

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.launch
import org.underpass.tunnel.EndpointResolver
import org.underpass.tunnel.ErrorCode
import org.underpass.tunnel.TunnelState
import org.underpass.tunnel.stateOf
import org.underpass.tunnel.toFacade
import java.net.InetSocketAddress
import java.util.concurrent.ConcurrentHashMap
import org.underpass.tunnel.PublicKey as FacadePublicKey
import org.underpass.tunnel.TunnelEvent as FacadeEvent
import org.underpass.tunnel.TunnelException as FacadeException

/** Pulls the events of a tunnel when it is woken, tells them and what state follows from them, and has names resolved. */
internal class EventLoop(
    private val resolver: EndpointResolver,
    dispatcher: CoroutineDispatcher,
    private val state: MutableStateFlow<TunnelState>,
    private val events: MutableSharedFlow<FacadeEvent>,
) {
    private val scope = CoroutineScope(SupervisorJob() + dispatcher)
    private val wakes = Channel<Unit>(Channel.CONFLATED)
    private val resolving = ConcurrentHashMap.newKeySet<ULong>()
    private val attempts = ConcurrentHashMap<ULong, Int>()
    private lateinit var tunnel: Tunnel

    /** What the tunnel wakes, from any thread, under which packets wait: it only leaves a note. */
    val observer: TunnelObserver = object : TunnelObserver {
        override fun wake() {
            wakes.trySend(Unit)
        }
    }

    fun start(tunnel: Tunnel) {
        this.tunnel = tunnel
        scope.launch {
            for (wake in wakes) drain()
        }
        refresh()
    }

    /** Looks again at what state the tunnel is in. */
    fun refresh() {
        wakes.trySend(Unit)
    }

    fun stop() {
        scope.cancel()
        wakes.close()
    }

    @Synchronized
    fun closed(cause: FacadeException?) {
        if (state.value !is TunnelState.Closed) state.value = TunnelState.Closed(cause)
    }

    private fun drain() {
        try {
            askingTunnel {
                generateSequence { tunnel.nextEvent() }.forEach(::tell)
                show(stateOf(tunnel.peers().map { it.toFacade() }))
            }
        } catch (end: FacadeException) {
            // Closed by its owner, who has that said; anything else is a bug that everybody is to see.
            if (end.error != ErrorCode.CLOSED) closed(end)
        }
    }

    @Synchronized
    private fun show(now: TunnelState) {
        if (state.value !is TunnelState.Closed) state.value = now
    }

    private fun tell(event: TunnelEvent) {
        event.toFacade(::keyOf, ::hostOf)?.let(events::tryEmit)
        if (event is TunnelEvent.ResolveEndpoint) resolve(event.peer)
    }

    /** One answer to one question: the tunnel asks again as long as the peer does not answer. */
    private fun resolve(peer: ULong) {
        val name = infoOf(peer)?.endpoint as? Endpoint.Name ?: return
        val key = keyOf(peer) ?: return
        if (!resolving.add(peer)) return
        scope.launch {
            try {
                val addresses = resolver.resolve(name.host)
                if (addresses.isEmpty()) throw java.net.UnknownHostException("the name has no address")
                // Asked again means that the last one did not answer.
                val attempt = attempts.merge(peer, 1, Int::plus)!! - 1
                val address = addresses[attempt % addresses.size]
                askingTunnel { tunnel.setEndpoint(peer, InetSocketAddress(address, name.port.toInt()).toCore()) }
            } catch (stopped: CancellationException) {
                throw stopped
            } catch (failed: Exception) {
                events.tryEmit(FacadeEvent.ResolutionFailed(key, name.host, failed.message ?: failed.javaClass.simpleName))
            } finally {
                resolving.remove(peer)
            }
        }
    }

    private fun infoOf(peer: ULong): PeerInfo? = try {
        tunnel.peer(peer)
    } catch (_: TunnelException.NoPeer) {
        null
    }

    private fun keyOf(peer: ULong): FacadePublicKey? = infoOf(peer)?.let { FacadePublicKey(it.publicKey) }

    private fun hostOf(peer: ULong): String? = (infoOf(peer)?.endpoint as? Endpoint.Name)?.host
}
