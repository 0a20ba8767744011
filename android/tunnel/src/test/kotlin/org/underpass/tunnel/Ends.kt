package org.underpass.tunnel

import org.underpass.tunnel.internal.Clock

const val SECRET = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
const val PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

val TEXT = """
    [Interface]
    PrivateKey = $SECRET
    Address = 10.0.0.2/24, fd00::2/64
    DNS = 10.0.0.1, corp.example
    MTU = 1380
    ExcludedApplications = org.example.game

    [Peer]
    PublicKey = $PEER
    AllowedIPs = 0.0.0.0/0, ::/0
    Endpoint = vpn.example:51820
    PersistentKeepalive = 25
""".trimIndent() + "\n"

/** A phone and a gateway under one clock, and a network between them that a test may cut. */
class Ends(phoneEndpoint: PeerEndpoint = PeerEndpoint("192.0.2.1", 51820), resolver: EndpointResolver = EndpointResolver { emptyList() }) :
    AutoCloseable {
    val clock = Clock.manual(5_000_000_000uL, 1_767_225_600_000_000_000uL)
    private val keys = PrivateKey.generate() to PrivateKey.generate()
    val gatewayKey = keys.second.publicKey
    val phoneKey = keys.first.publicKey
    val config = TunnelConfig.build {
        privateKey = keys.first
        address("10.0.0.1/32")
        peer(PeerConfig(gatewayKey, listOf(InetNetwork.parse("0.0.0.0/0")), phoneEndpoint))
    }
    val phone = Tunnel(config, TunnelOptions(resolver).also { it.clock = clock })
    val gateway = Tunnel(
        TunnelConfig.build {
            privateKey = keys.second
            peer(PeerConfig(phoneKey, listOf(InetNetwork.parse("10.0.0.1/32"))))
        },
        TunnelOptions().also { it.clock = clock },
    )
    private val phoneEngine = phone.packetEngine(slots = 8)
    private val gatewayEngine = gateway.packetEngine(slots = 8)
    var cut = false

    /** Where the phone's datagrams come from. */
    var phoneAt = "192.0.2.7"

    fun advance(seconds: Int) {
        clock.advance(seconds.toULong() * 1_000_000_000uL)
        phoneEngine.handleTimeout()
        gatewayEngine.handleTimeout()
        settle()
    }

    /** The phone sends a packet to the gateway. */
    fun send() {
        val packet = ByteArray(64)
        byteArrayOf(0x45, 0, 0, 64, 0, 0, 0, 0, 64, 253.toByte(), 0, 0, 10, 0, 0, 1, 10, 0, 0, 2).copyInto(packet)
        phoneEngine.slab.duplicate().position(64).put(packet)
        phoneEngine.place(0, 64, packet.size)
        phoneEngine.handlePackets(1)
        if (phoneEngine.verdict(0) == PacketEngine.SEND) carry(phoneEngine, gatewayEngine, 1)
        settle()
    }

    /** Carries datagrams to and fro until there are none. */
    fun settle() {
        do {
            val sent = phoneEngine.pollTransmits().also { carry(phoneEngine, gatewayEngine, it) } +
                gatewayEngine.pollTransmits().also { carry(gatewayEngine, phoneEngine, it) }
        } while (sent > 0)
    }

    private fun carry(from: PacketEngine, to: PacketEngine, count: Int) {
        if (cut) return
        for (slot in 0 until count) {
            val bytes = ByteArray(from.len(slot))
            from.slab.duplicate().position(slot * from.stride + from.start(slot)).get(bytes)
            to.slab.duplicate().position(slot * to.stride).put(bytes)
            to.place(slot, 0, bytes.size)
            to.setRemote(slot, 4, 0, number(if (from === phoneEngine) phoneAt else "192.0.2.1"), 51820)
        }
        if (count > 0) to.handleDatagrams(count)
    }

    private fun number(address: String) = address.split('.').fold(0L) { all, byte -> (all shl 8) or byte.toLong() }

    override fun close() {
        phoneEngine.close()
        gatewayEngine.close()
        phone.close()
        gateway.close()
    }
}
