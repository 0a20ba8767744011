package org.underpass.tunnel.service

import org.underpass.tunnel.TunnelState

/** What a person is to be shown of the service. */
public sealed interface VpnState {
    /** It is off. [cause]: why, when nobody asked for it. */
    public data class Off(public val cause: VpnException? = null) : VpnState

    /** The user has withdrawn consent, or another application became the VPN. Do not start again unasked. */
    public data object Revoked : VpnState

    /** The device was started and not unlocked yet: the configuration cannot be read. It goes on by itself after the unlock. */
    public data object WaitingForUnlock : VpnState

    public data object Starting : VpnState

    /** There is no network below. The interface stays, so nothing leaks. */
    public data object NoNetwork : VpnState

    /** The network wants a sign-in, which the tunnel cannot do: tell the user, who may pause the VPN for it. */
    public data object CaptivePortal : VpnState

    /** The data plane broke. The interface stays, so nothing leaks; it is tried again at a change of network and at a start. */
    public data class Blocked(public val cause: VpnException) : VpnState

    /** The tunnel runs; whether packets get through is in [tunnel]. */
    public data class Running(public val tunnel: TunnelState) : VpnState

    public val isConnected: Boolean get() = this is Running && tunnel.isConnected
}
