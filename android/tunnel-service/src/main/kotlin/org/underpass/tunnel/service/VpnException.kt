package org.underpass.tunnel.service

/** Why there is no VPN. */
public enum class VpnError {
    /** The user has not consented, or another application is the VPN: start the intent of `VpnService.prepare`. */
    NOT_PREPARED,

    /** An older always-on VPN of the system forbids others. */
    FORBIDDEN_BY_SYSTEM,

    /** The system made no interface although it was asked properly: consent was withdrawn meanwhile. */
    NOT_ESTABLISHED,

    /** The system does not take an address, a route or another setting of the interface. */
    SETTINGS_REFUSED,

    /** Both applications that are to use the tunnel and some that are not to are listed. */
    APPS_BOTH_LISTS,

    /** None of the applications that alone are to use the tunnel is installed: it would be a tunnel for all. */
    APPS_NOT_INSTALLED,

    /** The interface has no address. */
    NO_ADDRESS,

    /** A socket could not be kept out of the tunnel: nothing was sent. */
    NOT_PROTECTED,

    /** There is no configuration. */
    NO_CONFIGURATION,

    /** The configuration cannot be read before the first unlock after a start of the device. */
    LOCKED,

    /** The stored configuration cannot be decrypted: it was restored from elsewhere, or its key is gone. Import it again. */
    STORE_UNREADABLE,

    /** The library refused: see the cause. */
    TUNNEL,

    /** The data plane ended. */
    DATA_PLANE,
}

/** There is no VPN, and why. */
public class VpnException @JvmOverloads constructor(
    public val error: VpnError,
    detail: String? = null,
    cause: Throwable? = null,
) : Exception(listOfNotNull(error.name.lowercase(), detail).joinToString(": "), cause)
