package org.underpass.tunnel

import org.underpass.tunnel.internal.PeerInfo
import org.underpass.tunnel.internal.toFacade
import java.net.InetSocketAddress

/** Counters of a tunnel since it was made. */
public data class TunnelStatistics(
    /** Bytes of authenticated datagrams received. */
    public val rxBytes: Long,
    /** Bytes of datagrams sent. */
    public val txBytes: Long,
    /** Packets delivered. */
    public val rxPackets: Long,
    /** Packets sealed. */
    public val txPackets: Long,
    /** Handshakes completed. */
    public val handshakes: Long,
    /** Datagrams that the system did not send. */
    public val sendErrors: Long,
    /** How often packets or datagrams went no further, by the name of the reason; only reasons that occurred. */
    public val drops: Map<String, Long>,
    public val peers: List<PeerStatistics>,
)

/** What is known of one peer. */
public data class PeerStatistics(
    public val publicKey: PublicKey,
    public val health: PeerHealth,
    /** Where it is reached at present. */
    public val endpoint: InetSocketAddress?,
    public val allowedIps: List<InetNetwork>,
    /** When the latest handshake was, in milliseconds since 1970 UTC. */
    public val latestHandshakeMillis: Long?,
    public val rxBytes: Long,
    public val txBytes: Long,
    public val handshakes: Long,
    public val sendErrors: Long,
    /** Why the last datagram was not sent, in lower case with underscores; `null`: the peer was heard since. */
    public val lastSendError: String?,
) {
    internal val hasDefaultRoute: Boolean get() = allowedIps.any { it.prefix == 0 }
}

internal fun PeerInfo.toFacade() = PeerStatistics(
    publicKey = PublicKey(publicKey),
    health = health.toFacade(),
    endpoint = path?.remote?.toFacade(),
    allowedIps = allowedIps.map { it.toFacade() },
    latestHandshakeMillis = latestHandshakeMillis?.toLong(),
    rxBytes = rxBytes.toLong(),
    txBytes = txBytes.toLong(),
    handshakes = handshakes.toLong(),
    sendErrors = sendErrors.toLong(),
    lastSendError = lastSendError?.name?.lowercase(),
)
