/** What the service's choice of endpoints needs of Android's network, for Phone.kt, where the machine's own network stands for it. */
package android.net

import java.net.InetAddress

class Network {
    fun getAllByName(host: String): Array<InetAddress> = InetAddress.getAllByName(host)
}

class LinkAddress(val address: InetAddress)

class IpPrefix(val address: InetAddress, val prefixLength: Int)

class LinkProperties(
    val interfaceName: String?,
    val linkAddresses: List<LinkAddress>,
    val dnsServers: List<InetAddress>,
    val nat64Prefix: IpPrefix?,
)

class NetworkCapabilities {
    fun hasCapability(number: Int): Boolean = number == NET_CAPABILITY_NOT_METERED

    companion object {
        const val NET_CAPABILITY_NOT_METERED = 11
        const val NET_CAPABILITY_CAPTIVE_PORTAL = 17
    }
}
