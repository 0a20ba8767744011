package org.underpass.tunnel.internal

/** 2026-01-01 in nanoseconds since 1970. */
const val WALL: ULong = 1_767_225_600_000_000_000uL
const val SECOND: ULong = 1_000_000_000uL

const val SECRET = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
const val PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

/** A configuration as a provider hands it out. */
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

/** Counts how often it was woken, and does what it is told to. */
class Observer(private val then: () -> Unit = {}) : TunnelObserver {
    @Volatile
    var woken = 0
        private set

    override fun wake() {
        woken += 1
        then()
    }
}

/** A tunnel of the text under a clock that stands still. */
fun tunnel(observer: TunnelObserver? = null, clock: Clock = Clock.manual(5uL * SECOND, WALL), floors: ByteArray? = null): Tunnel =
    Tunnel(TunnelOptions(configuration = Configuration.parse(TEXT), clock = clock, savedFloors = floors), observer)

/** All events that wait. */
fun Tunnel.events(): List<TunnelEvent> = generateSequence { nextEvent() }.toList()

/** A change that sets nothing. */
fun change(key: PublicKey, action: PeerAction = PeerAction.SET) = PeerChange(publicKey = key, action = action)
