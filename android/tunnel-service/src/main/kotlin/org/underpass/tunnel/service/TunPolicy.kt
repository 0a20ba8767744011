package org.underpass.tunnel.service

/** What an application wants beyond what the configuration says. */
public data class TunPolicy @JvmOverloads constructor(
    /** Leaves the local network reachable, outside the tunnel. */
    public val excludeLocalNetworks: Boolean = false,
    /** Packages that alone use the tunnel, instead of those of the configuration. `null`: as the configuration says. */
    public val includedApps: Set<String>? = null,
    /** Packages that do not use the tunnel, instead of those of the configuration. `null`: as the configuration says. */
    public val excludedApps: Set<String>? = null,
    /** Whether traffic counts as metered: `null` follows the network below. */
    public val metered: Boolean? = null,
    /** What the system shows as the name of the connection. */
    public val session: String = "VPN",
    /**
     * Whether applications may go around the tunnel on their own account. Never with a default route: that would be a hole in what
     * the user takes for closed.
     */
    public val allowBypass: Boolean = false,
)
