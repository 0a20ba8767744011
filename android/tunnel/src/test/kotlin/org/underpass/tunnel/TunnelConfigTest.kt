package org.underpass.tunnel

import org.junit.jupiter.api.Test
import java.net.InetAddress
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

class TunnelConfigTest {
    @Test
    fun `a text is told in properties`() {
        val config = TunnelConfig.parse(TEXT)
        assertEquals(SECRET, config.privateKey?.toBase64())
        assertEquals(listOf("10.0.0.2/24", "fd00:0:0:0:0:0:0:2/64"), config.addresses.map { "$it" })
        assertEquals(listOf(InetAddress.getByAddress(byteArrayOf(10, 0, 0, 1))) to listOf("corp.example"), config.dns to config.searchDomains)
        assertEquals(1380 to null, config.mtu to config.listenPort)
        assertEquals(listOf("org.example.game") to emptyList(), config.excludedApps to config.includedApps)
        val peer = config.peers.single()
        assertEquals(PublicKey.fromBase64(PEER), peer.publicKey)
        assertEquals(PeerEndpoint("vpn.example", 51820), peer.endpoint)
        assertNull(peer.endpoint?.address)
        assertEquals(listOf(0, 0), peer.allowedIps.map { it.prefix })
        assertEquals(25, peer.persistentKeepalive)
    }

    @Test
    fun `what is written is read as the same`() {
        val config = TunnelConfig.parse(TEXT)
        val again = TunnelConfig.parse(config.toText())
        assertEquals(config, again)
        assertEquals(config.toText(), again.toText())
        assertTrue(config.toText().lines().size > 8, config.toText())
    }

    @Test
    fun `an error says what is wrong and where`() {
        val refused = assertFailsWith<ConfigException> { TunnelConfig.parse(TEXT.replace("::/0", "::/129")) }
        assertEquals(-8 to ErrorCode.CONFIG, refused.code to refused.error)
        val found = refused.diagnostics.single { it.isError }
        assertEquals(listOf<Any?>(10, 25, ConfigDiagnostic.Section.PEER, "AllowedIPs"), listOf(found.line, found.column, found.section, found.key))
        assertTrue(found.reason.isNotEmpty())
        assertTrue("line 10, column 25: AllowedIPs: " in refused.message!!, refused.message)
    }

    @Test
    fun `what is odd is a warning`() {
        val found = TunnelConfig.parse(TEXT.replace("MTU = 1380", "MTU = 1200")).warnings.single { it.key == "MTU" }
        assertEquals(false to ConfigDiagnostic.Section.INTERFACE, found.isError to found.section)
    }

    @Test
    fun `no text of it holds a secret`() {
        val shared = PresharedKey.generate()
        val config = TunnelConfig.parse(TEXT).toBuilder().apply { peers[0] = peers[0].copy(presharedKey = shared) }.build()
        val refused = assertFailsWith<ConfigException> { TunnelConfig.parse(TEXT.replace(SECRET, "$SECRET=")) }
        val said = "$config ${config.peers} ${config.privateKey} $refused ${refused.diagnostics}"
        for (secret in listOf(SECRET, shared.toBase64())) {
            assertFalse(secret.dropLast(4) in said, said)
            assertTrue(secret in config.toText())
        }
    }

    @Test
    fun `a builder makes, changes and keeps`() {
        val made = TunnelConfig.build {
            privateKey = PrivateKey.fromBase64(SECRET)
            address("10.0.0.2/32").address("fd00::2")
            dns("fd00::53")
            mtu = 1300
            excludedApps += "org.example.game"
            peer(PeerConfig(PublicKey.fromBase64(PEER), listOf(InetNetwork.parse("10.1.2.3/16")), PeerEndpoint("2001:db8::1", 51820)))
        }
        assertTrue("Endpoint = [2001:db8::1]:51820" in made.toText(), made.toText())
        assertEquals("10.1.0.0/16", "${made.peers.single().allowedIps.single()}")
        val text = TEXT.replace("[Peer]", "PostUp = echo \$1\n[Peer]")
        val changed = TunnelConfig.parse(text).toBuilder().apply { mtu = null }.build()
        assertNull(changed.mtu)
        assertTrue("PostUp = echo" in changed.toText(), "what has no property stays")
        assertNotEquals(TunnelConfig.parse(text), changed)
    }

    @Test
    fun `a builder refuses what no text can say`() {
        val peer = PeerConfig(PublicKey.fromBase64(PEER))
        val codes = listOf<TunnelConfigBuilder.() -> Unit>(
            { peers += listOf(peer, peer) },
            { mtu = 60 },
            { mtu = 70_000 },
            { listenPort = -1 },
            { searchDomains += "a,b" },
            { peers += peer.copy(persistentKeepalive = 70_000) },
            { peers += peer.copy(endpoint = PeerEndpoint("a b", 1)) },
        ).map { fill -> assertFailsWith<TunnelException> { TunnelConfig.build(fill) }.error }
        val argument = ErrorCode.ARGUMENT
        assertEquals(listOf<ErrorCode?>(argument, ErrorCode.MTU, ErrorCode.MTU, argument, argument, argument, argument), codes)
        assertEquals(ErrorCode.KEY, assertFailsWith<TunnelException> { PrivateKey.fromBase64("AAAA") }.error)
    }

    @Test
    fun `networks are read without a name server, masked and compared`() {
        assertEquals("10.0.0.0/9", "${InetNetwork.parse("10.127.3.4/9").masked()}")
        assertEquals("fd00:0:0:0:0:0:0:0/10", "${InetNetwork.parse("fd3f::1/10").masked()}")
        assertTrue(InetNetwork.parse("10.1.0.0/16") in InetNetwork.parse("10.0.0.0/8"))
        assertFalse(InetNetwork.parse("10.0.0.0/8") in InetNetwork.parse("10.1.0.0/16"))
        assertFalse(InetNetwork.parse("::/0") in InetNetwork.parse("0.0.0.0/0"))
        assertTrue(InetNetwork.parseAddress("::1") in InetNetwork.parse("::/0"))
        assertFalse(InetNetwork.parse("::ffff:10.0.0.1/128").isIpv4)
        for (bad in listOf("", "vpn.example", "10", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+1", "::/129", "fe80::1%1", "1.2.3.256")) {
            assertFailsWith<Exception>(bad) { InetNetwork.parse(bad) }
        }
    }
}
