package org.underpass.tunnel

import org.underpass.tunnel.internal.toFacade
import java.net.InetSocketAddress
import org.underpass.tunnel.internal.TunnelEvent as CoreEvent

/** A fact that an application may want to show or to log. [kind] is the number that every interface of the library has for it. */
public sealed interface TunnelEvent {
    public val kind: Int

    /** An event about one peer. */
    public sealed interface OfPeer : TunnelEvent {
        public val peer: PublicKey
    }

    /** A handshake completed: a new session is live. */
    public data class SessionEstablished(override val peer: PublicKey) : OfPeer {
        override val kind: Int get() = 1
    }

    /** The handshake was given up after 90 s without an answer. */
    public data class HandshakeFailed(override val peer: PublicKey) : OfPeer {
        override val kind: Int get() = 2
    }

    /** The last session ended without a successor, and its keys were wiped. */
    public data class SessionExpired(override val peer: PublicKey) : OfPeer {
        override val kind: Int get() = 3
    }

    /** An authenticated datagram came from elsewhere. */
    public data class EndpointMoved(override val peer: PublicKey, public val endpoint: InetSocketAddress) : OfPeer {
        override val kind: Int get() = 4
    }

    /** The name of the peer's endpoint is resolved now, by the resolver of the options. */
    public data class ResolvingEndpoint(override val peer: PublicKey, public val host: String) : OfPeer {
        override val kind: Int get() = 5
    }

    public data class HealthChanged(override val peer: PublicKey, public val health: PeerHealth) : OfPeer {
        override val kind: Int get() = 6
    }

    /**
     * The peer's clock is more than a day ahead of ours. If it is mended later, the peer will be refused until
     * [Tunnel.resetPeerTimestamp].
     */
    public data class TimestampAhead(override val peer: PublicKey) : OfPeer {
        override val kind: Int get() = 7
    }

    /** The clock leapt ahead by more than a day: every session has expired. */
    public data object ClockLeapt : TunnelEvent {
        override val kind: Int get() = 9
    }

    /** Packets or datagrams need other room than before. Of interest to a user of [PacketEngine] only. */
    public data object LayoutChanged : TunnelEvent {
        override val kind: Int get() = 10
    }

    /** An event of a newer library. */
    public data class Other(override val kind: Int) : TunnelEvent

    /** Of Kotlin alone: the name did not resolve. It is tried again with the next handshake, or at a change of network. */
    public data class ResolutionFailed(override val peer: PublicKey, public val host: String, public val reason: String) : OfPeer {
        override val kind: Int get() = RESOLUTION_FAILED
    }

    public companion object {
        /** The [kind] of [ResolutionFailed], which no other interface has. */
        public const val RESOLUTION_FAILED: Int = 1001
    }
}

/** The event, with peers by key. `null`: its peer is gone. [host] is the name of a peer's endpoint. */
internal fun CoreEvent.toFacade(keyOf: (ULong) -> PublicKey?, host: (ULong) -> String?): TunnelEvent? = when (this) {
    is CoreEvent.SessionEstablished -> keyOf(peer)?.let(TunnelEvent::SessionEstablished)
    is CoreEvent.HandshakeFailed -> keyOf(peer)?.let(TunnelEvent::HandshakeFailed)
    is CoreEvent.SessionExpired -> keyOf(peer)?.let(TunnelEvent::SessionExpired)
    is CoreEvent.EndpointMoved -> keyOf(peer)?.let { TunnelEvent.EndpointMoved(it, path.remote.toFacade()) }
    is CoreEvent.ResolveEndpoint -> keyOf(peer)?.let { key -> host(peer)?.let { TunnelEvent.ResolvingEndpoint(key, it) } }
    is CoreEvent.HealthChanged -> keyOf(peer)?.let { TunnelEvent.HealthChanged(it, health.toFacade()) }
    is CoreEvent.TimestampAhead -> keyOf(peer)?.let(TunnelEvent::TimestampAhead)
    is CoreEvent.ClockLeapt -> TunnelEvent.ClockLeapt
    is CoreEvent.LayoutChanged -> TunnelEvent.LayoutChanged
    is CoreEvent.Other -> TunnelEvent.Other(kind.toInt())
}
