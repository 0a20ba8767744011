package org.underpass.tunnel

import org.underpass.tunnel.internal.Health

/** What a person is to be shown. It follows from authenticated traffic alone, so [Connected] means that packets get through. */
public sealed interface TunnelState {
    /** A session is to come: nobody answered yet. */
    public data object Connecting : TunnelState

    /**
     * The other side answers. [idle]: the last session ended because nobody sent anything; the next packet begins another, so this
     * is connected too.
     */
    public data class Connected(public val idle: Boolean) : TunnelState

    /** It did answer, but what we sent of late goes unanswered. Do not show it as connected. */
    public data object Stale : TunnelState

    /** Nobody answered for 90 seconds. The next packet or change of network tries again. */
    public data object Failed : TunnelState

    /** The tunnel was closed; [cause]: by a bug in the library, and is to be made anew. */
    public data class Closed(public val cause: TunnelException?) : TunnelState

    public val isConnected: Boolean get() = this is Connected
}

/** What is known of one peer from authenticated traffic. */
public enum class PeerHealth { CONNECTING, UP, STALE, FAILED, IDLE }

internal fun Health.toFacade(): PeerHealth = when (this) {
    Health.CONNECTING -> PeerHealth.CONNECTING
    Health.UP -> PeerHealth.UP
    Health.STALE -> PeerHealth.STALE
    Health.FAILED -> PeerHealth.FAILED
    Health.IDLE -> PeerHealth.IDLE
}

/**
 * The state of a tunnel with these peers: that of the peers with a default route if there are any, else of all, and of those the
 * best. So a branch office that is down does not hide that the rest gets through, and [TunnelStatistics.peers] has each of them.
 */
internal fun stateOf(peers: List<PeerStatistics>): TunnelState {
    val deciding = peers.filter { peer -> peer.hasDefaultRoute }.ifEmpty { peers }
    return when (BEST_FIRST.firstOrNull { health -> deciding.any { it.health == health } }) {
        PeerHealth.UP -> TunnelState.Connected(idle = false)
        PeerHealth.IDLE -> TunnelState.Connected(idle = true)
        PeerHealth.STALE -> TunnelState.Stale
        PeerHealth.FAILED -> TunnelState.Failed
        PeerHealth.CONNECTING, null -> TunnelState.Connecting
    }
}

/** Connecting is last: it is also the health of a peer that nobody has talked to yet. */
private val BEST_FIRST = listOf(PeerHealth.UP, PeerHealth.IDLE, PeerHealth.STALE, PeerHealth.FAILED, PeerHealth.CONNECTING)
