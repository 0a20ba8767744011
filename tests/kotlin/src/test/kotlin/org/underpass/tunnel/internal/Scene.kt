package org.underpass.tunnel.internal

/** 2026-01-01 in nanoseconds since 1970. */
const val WALL: ULong = 1_767_225_600_000_000_000uL
const val SECOND: ULong = 1_000_000_000uL

/** The configuration of the facade's tests, and its keys. */
const val SECRET = org.underpass.tunnel.SECRET
const val PEER = org.underpass.tunnel.PEER
val TEXT = org.underpass.tunnel.TEXT

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
