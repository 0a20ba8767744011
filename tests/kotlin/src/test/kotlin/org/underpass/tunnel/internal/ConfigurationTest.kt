package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class ConfigurationTest {
    @Test
    fun `all that a text says is told`() {
        val configuration = Configuration.parse(TEXT)
        val said = configuration.interfaceSection()
        assertEquals(SECRET, said.privateKey?.toBase64())
        assertEquals(listOf(Network("10.0.0.2", 24u), Network("fd00::2", 64u)), said.addresses)
        assertEquals(listOf("10.0.0.1") to listOf("corp.example"), said.dns to said.searchDomains)
        assertEquals(1380.toUShort(), said.mtu)
        assertEquals(listOf("org.example.game"), said.excludedApplications)
        val peer = configuration.peers().single()
        assertEquals(PublicKey.fromBase64(PEER), peer.publicKey)
        assertEquals(Endpoint.Name("vpn.example", 51820u), peer.endpoint)
        assertEquals(listOf(Network("0.0.0.0", 0u), Network("::", 0u)), peer.allowedIps)
        assertEquals(25.toUShort(), peer.persistentKeepalive)
        assertEquals(configuration.toText(), Configuration.parse(configuration.toText()).toText())
    }

    @Test
    fun `errors have their line, column, section and key`() {
        val error = assertFailsWith<TunnelException.Config> { Configuration.parse(TEXT.replace("::/0", "::/129")) }
        assertEquals(-8, error.code())
        val found = error.diagnostics.single { it.severity == Severity.ERROR }
        assertEquals(listOf<Any?>(10u, 25u, Section.PEER, "AllowedIPs"), listOf(found.line, found.column, found.section, found.key))
        assertTrue(found.reason.isNotEmpty())
        assertEquals(0uL, error.more)
    }

    @Test
    fun `what is said of a text is bounded`() {
        val junk = "nonsense\n".repeat(10_000)
        val hundred = assertFailsWith<TunnelException.Config> { Configuration.parse(junk) }
        assertEquals(100, hundred.diagnostics.size)
        val three = assertFailsWith<TunnelException.Config> { Configuration.parseWith(junk, 3u) }
        assertEquals(3uL + three.more, 100uL + hundred.more)
        val warned = Configuration.parse(TEXT.replace("MTU = 1380", "MTU = 1200"))
        assertTrue(warned.diagnostics().any { it.key == "MTU" && it.severity == Severity.WARNING })
    }

    @Test
    fun `records make a configuration`() {
        val peer = PeerConfiguration(
            publicKey = PublicKey.fromBase64(PEER),
            allowedIps = listOf(Network("10.1.2.3", 16u)),
            endpoint = Endpoint.Address(SocketAddress("2001:db8::1", 51820u)),
        )
        val interfaceOfPhone = InterfaceConfiguration(privateKey = PrivateKey.generate(), addresses = listOf(Network("10.0.0.2", 32u)))
        val configuration = Configuration.build(interfaceOfPhone, listOf(peer))
        assertTrue("Endpoint = [2001:db8::1]:51820" in configuration.toText())
        assertEquals(listOf(Network("10.1.0.0", 16u)), configuration.peers().single().allowedIps)
        val edited = configuration.edited(InterfaceConfiguration(mtu = 1300u), emptyList())
        assertEquals(1300.toUShort(), edited.interfaceSection().mtu)
    }

    @Test
    fun `records that no text can say are refused`() {
        val peer = PeerConfiguration(publicKey = PublicKey.fromBase64(PEER))
        val codes = listOf<() -> Configuration>(
            { Configuration.build(InterfaceConfiguration(), listOf(peer, peer)) },
            { Configuration.build(InterfaceConfiguration(mtu = 60u), emptyList()) },
            { Configuration.build(InterfaceConfiguration(addresses = listOf(Network("10.0.0.1", 33u))), emptyList()) },
            { Configuration.build(InterfaceConfiguration(dns = listOf("10.0.0.1"), searchDomains = listOf("a,b")), emptyList()) },
        ).map { build -> assertFailsWith<TunnelException> { build() }.code() }
        assertEquals(listOf(-3, -12, -11, -3), codes)
    }
}
