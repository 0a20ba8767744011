package org.underpass.tunnel.internal

import org.underpass.tunnel.ConfigDiagnostic
import org.underpass.tunnel.ConfigException
import org.underpass.tunnel.ErrorCode
import org.underpass.tunnel.InetNetwork
import org.underpass.tunnel.PeerConfig
import org.underpass.tunnel.PeerEndpoint
import org.underpass.tunnel.inShort
import java.net.InetSocketAddress
import org.underpass.tunnel.PresharedKey as FacadePresharedKey
import org.underpass.tunnel.PublicKey as FacadePublicKey
import org.underpass.tunnel.TunnelException as FacadeException

/** Calls the generated classes; what they throw becomes an exception of the facade. */
internal inline fun <T> asking(body: () -> T): T = try {
    body()
} catch (refused: TunnelException.Config) {
    throw ConfigException(refused.diagnostics.map { it.toFacade() }, refused.more.toLong())
} catch (refused: TunnelException) {
    throw refused.toFacade()
} catch (bug: InternalException) {
    throw FacadeException(ErrorCode.PANIC, cause = bug)
} catch (missing: LinkageError) {
    // An Error of JNA's is nothing that an application would catch.
    throw FacadeException(ErrorCode.LIBRARY, missing.message, missing)
}

/** The same for a tunnel: the generated object, once it is given up, answers with an exception of its own. */
internal inline fun <T> askingTunnel(body: () -> T): T = try {
    asking(body)
} catch (gone: IllegalStateException) {
    throw FacadeException(ErrorCode.CLOSED, cause = gone)
}

internal fun TunnelException.toFacade(): FacadeException {
    val detail = when (this) {
        is TunnelException.Argument -> what
        is TunnelException.Prefix -> what
        is TunnelException.LowOrderKey -> index?.let { "number $it of the list" }
        is TunnelException.TooManyPeers -> index?.let { "number $it of the list" }
        else -> null
    }
    val code = code()
    return ErrorCode.of(code)?.let { FacadeException(it, detail, this) } ?: FacadeException(code, "code $code", this)
}

internal fun Diagnostic.toFacade() = ConfigDiagnostic(
    isError = severity == Severity.ERROR,
    line = line.toInt(),
    column = column.toInt(),
    section = when (section) {
        Section.INTERFACE -> ConfigDiagnostic.Section.INTERFACE
        Section.PEER -> ConfigDiagnostic.Section.PEER
        null -> null
    },
    key = key,
    reason = reason,
)

internal fun Network.toFacade() = InetNetwork(InetNetwork.parseAddress(address), prefix.toInt())

internal fun InetNetwork.toCore() = Network(address.hostAddress!!.substringBefore('%'), prefix.toUByte())

internal fun SocketAddress.toFacade() = InetSocketAddress(InetNetwork.parseAddress(address), port.toInt())

internal fun InetSocketAddress.toCore(): SocketAddress {
    val address = address ?: throw FacadeException(ErrorCode.ARGUMENT, "the address of a name that was not resolved")
    val scope = (address as? java.net.Inet6Address)?.takeIf { it.isLinkLocalAddress }?.scopeId ?: 0
    return SocketAddress(address.hostAddress!!.substringBefore('%'), port.toUShort(), scope.toUInt())
}

internal fun Endpoint.toFacade() = when (this) {
    is Endpoint.Address -> PeerEndpoint(address.address, address.port.toInt())
    is Endpoint.Name -> PeerEndpoint(host, port.toInt())
}

private fun PeerEndpoint.toCore(): Endpoint {
    val port = port.inShort(ErrorCode.ARGUMENT)
    return address?.let { Endpoint.Address(InetSocketAddress(it, port.toInt()).toCore()) } ?: Endpoint.Name(host, port)
}

internal fun PeerConfiguration.toFacade() = PeerConfig(
    publicKey = FacadePublicKey(publicKey),
    allowedIps = allowedIps.map { it.toFacade() },
    endpoint = endpoint?.toFacade(),
    presharedKey = presharedKey?.let(::FacadePresharedKey),
    persistentKeepalive = persistentKeepalive.toInt(),
)

internal fun PeerConfig.toCore() = PeerConfiguration(
    publicKey = publicKey.core,
    allowedIps = allowedIps.map { it.toCore() },
    endpoint = endpoint?.toCore(),
    presharedKey = presharedKey?.core,
    persistentKeepalive = persistentKeepalive.inShort(ErrorCode.ARGUMENT),
)
