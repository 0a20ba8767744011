package org.underpass.tunnel

import org.junit.jupiter.api.Test
import org.underpass.tunnel.internal.Health
import org.underpass.tunnel.internal.vocabulary
import java.io.File
import java.lang.reflect.Member
import java.lang.reflect.Modifier
import java.net.InetSocketAddress
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class SurfaceTest {
    private fun statistics(health: PeerHealth, vararg routes: String) =
        PeerStatistics(PrivateKey.generate().publicKey, health, null, routes.map(InetNetwork::parse), null, 0, 0, 0, 0, null)

    @Test
    fun `the best of the peers with a default route decides, else the best of all`() {
        assertEquals<TunnelState>(TunnelState.Connecting, stateOf(emptyList()))
        val branch = statistics(PeerHealth.UP, "10.1.0.0/16")
        assertEquals<TunnelState>(TunnelState.Stale, stateOf(listOf(branch, statistics(PeerHealth.STALE, "0.0.0.0/0"))))
        val down = statistics(PeerHealth.FAILED, "10.2.0.0/16")
        assertEquals<TunnelState>(TunnelState.Connected(false), stateOf(listOf(down, branch)))
        assertEquals<TunnelState>(TunnelState.Failed, stateOf(listOf(down, statistics(PeerHealth.CONNECTING))))
        assertEquals<TunnelState>(TunnelState.Connected(true), stateOf(listOf(statistics(PeerHealth.IDLE), statistics(PeerHealth.STALE))))
    }

    @Test
    fun `every word of the library has its word here`() {
        val words = vocabulary()
        assertEquals(words.statuses.map { it.number }.filter { it < 0 }.toSet(), ErrorCode.entries.map { it.number }.filter { it > -1000 }.toSet())
        for (word in words.statuses.filter { it.number < 0 && it.number != -1 }) {
            assertEquals(word.name.removePrefix("UNDERPASS_").removePrefix("E_"), ErrorCode.of(word.number)?.name)
        }
        val kinds = TunnelEvent::class.sealedNames()
        assertEquals(words.events.filter { it.name != "lost" }.map { it.name.replace("resolve_", "resolving_") }.toSet(), kinds - "other" - "resolution_failed")
        assertEquals(Health.entries.map { it.name }, PeerHealth.entries.map { it.name })
    }

    /** One of each that comes from the library. */
    @Test
    fun `every event has the number of the library`() {
        val key = PrivateKey.generate().publicKey
        val events = listOf(
            TunnelEvent.SessionEstablished(key), TunnelEvent.HandshakeFailed(key), TunnelEvent.SessionExpired(key),
            TunnelEvent.EndpointMoved(key, InetSocketAddress("192.0.2.1", 1)), TunnelEvent.ResolvingEndpoint(key, "vpn.example"),
            TunnelEvent.HealthChanged(key, PeerHealth.UP), TunnelEvent.TimestampAhead(key), TunnelEvent.ClockLeapt, TunnelEvent.LayoutChanged,
        )
        val here = events.associate { spelled(it.javaClass.simpleName).replace("resolving_", "resolve_") to it.kind }
        assertEquals(vocabulary().events.filter { it.name != "lost" }.associate { it.name to it.number }, here)
    }

    private fun spelled(name: String) = name.replace(Regex("(?<=[a-z])[A-Z]")) { found -> "_${found.value}" }.lowercase()

    private fun kotlin.reflect.KClass<*>.sealedNames(): Set<String> = java.declaredClasses
        .filter { it.simpleName !in listOf("OfPeer", "Companion", "DefaultImpls") }
        .map { spelled(it.simpleName) }.toSet()

    /** What an application can name: no class of the generated package is in a signature that Kotlin or Java may use. */
    @Test
    fun `nothing generated shows`() {
        val root = File(Tunnel::class.java.protectionDomain.codeSource.location.toURI())
        val classes = File(root, "org/underpass/tunnel").listFiles()!!.filter { it.extension == "class" }
            .map { Class.forName("org.underpass.tunnel.${it.nameWithoutExtension}") }.filter { Modifier.isPublic(it.modifiers) && !it.isSynthetic }
        assertTrue(classes.size > 20)
        val shown = classes.flatMap { type -> (type.declaredMethods.toList() + type.declaredConstructors + type.declaredFields).filter { visible(type, it) } }
            .map { (it as Any).toString() }.filter { "org.underpass.tunnel.internal" in it }
        // The engines' own door, which was there before the facade.
        val allowed = Regex("""org\.underpass\.tunnel\.Packet(Engine|Pump)(\${'$'}Companion)?[.(].*internal\.Tunnel.*""")
        assertTrue(shown.any { "PacketEngine(" in it }, "what is allowed is seen: $shown")
        assertEquals(emptyList(), shown.filterNot { allowed.containsMatchIn(it) })
    }

    /** Kotlin's `internal` is public to the JVM, under a name or in a metadata that says so. */
    private fun visible(type: Class<*>, member: Member): Boolean {
        if (!Modifier.isPublic(member.modifiers) && !Modifier.isProtected(member.modifiers) || member.isSynthetic) return false
        val text = when (member) {
            is java.lang.reflect.Constructor<*> -> return !type.isInternalConstructor(member)
            else -> member.name
        }
        return "\$" !in text && !type.simpleName.endsWith("Kt")
    }

    /** Constructors that take a generated object and are `internal`: those of what wraps it. */
    private fun Class<*>.isInternalConstructor(constructor: java.lang.reflect.Constructor<*>): Boolean =
        this in listOf(PrivateKey::class.java, PresharedKey::class.java, PublicKey::class.java, TunnelConfig::class.java) && constructor.parameterCount == 1
}
