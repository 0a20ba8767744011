package org.underpass.tunnel.service

import org.junit.Test
import org.underpass.tunnel.InetNetwork
import kotlin.random.Random
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class RoutesTest {
    private fun nets(vararg texts: String) = texts.map(InetNetwork::parse)

    @Test
    fun `halves are their whole, and what lies in another is left out`() {
        assertEquals(nets("0.0.0.0/0"), Routes.simplified(nets("0.0.0.0/1", "128.0.0.0/1")))
        assertEquals(nets("10.0.0.0/8"), Routes.simplified(nets("10.1.2.3/16", "10.0.0.0/8", "10.0.0.0/9")))
        assertEquals(nets("::/0"), Routes.simplified(nets("8000::/1", "::/2", "4000::/2")))
    }

    @Test
    fun `a complement is as short as can be`() {
        assertEquals(nets("0.0.0.0/5", "8.0.0.0/7", "11.0.0.0/8", "12.0.0.0/6", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/1"), Routes.without(nets("0.0.0.0/0"), nets("10.0.0.0/8")))
        assertEquals(emptyList(), Routes.without(nets("10.1.0.0/16"), nets("10.0.0.0/8")))
        assertEquals(nets("::/0"), Routes.without(nets("::/0"), nets("10.0.0.0/8")))
        assertEquals(128, Routes.without(nets("::/0"), nets("::1/128")).size)
    }

    @Test
    fun `whatever is excluded, each address is routed or excluded, never both`() {
        val random = Random(7)
        repeat(200) {
            fun some() = List(random.nextInt(1, 6)) {
                InetNetwork(InetNetwork.parseAddress("${random.nextInt(256)}.${random.nextInt(256)}.0.0"), random.nextInt(0, 17)).masked()
            }
            val (wanted, excluded) = some() to some()
            val left = Routes.without(wanted, excluded)
            repeat(50) {
                val address = InetNetwork.parseAddress("${random.nextInt(256)}.${random.nextInt(256)}.${random.nextInt(256)}.1")
                val expected = wanted.any { address in it } && excluded.none { address in it }
                assertEquals(if (expected) 1 else 0, left.count { address in it }, "$address of $wanted without $excluded")
            }
        }
        assertTrue(Routes.LOCAL.all { it == it.masked() })
    }
}
