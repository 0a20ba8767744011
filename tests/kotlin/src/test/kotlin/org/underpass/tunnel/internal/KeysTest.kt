package org.underpass.tunnel.internal

import org.junit.jupiter.api.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals

class KeysTest {
    @Test
    fun `keys go through text and bytes`() {
        val key = PrivateKey.generate()
        assertEquals(key.toBase64(), PrivateKey.fromBase64(key.toBase64()).toBase64())
        assertContentEquals(key.toBytes(), PrivateKey.fromBytes(key.toBytes()).toBytes())
        val shared = PresharedKey.generate()
        assertEquals(shared.toBase64(), PresharedKey.fromBytes(shared.toBytes()).toBase64())
        val public = PublicKey.fromBase64(PEER)
        assertEquals(PEER, PublicKey.fromHex(public.toHex()).toBase64())
        assertNotEquals(key.toBase64(), PrivateKey.generate().toBase64())
    }

    @Test
    fun `public keys are equal when their bytes are`() {
        val one = PublicKey.fromBase64(PEER)
        val same = PublicKey.fromBase64(PEER)
        assertEquals(one, same)
        assertEquals(one.hashCode(), same.hashCode())
        assertNotEquals(one, PrivateKey.generate().publicKey())
    }

    @Test
    fun `nothing secret is printed`() {
        val key = PrivateKey.fromBase64(SECRET)
        val configuration = Configuration.parse(TEXT)
        val options = TunnelOptions(configuration = configuration, privateKey = key)
        val hex = key.toBytes().joinToString("") { "%02x".format(it) }
        for (printed in listOf("$key", "$configuration", "${configuration.interfaceSection()}", "$options", "${PresharedKey.generate()}")) {
            assertFalse(SECRET in printed || hex in printed, printed)
        }
        val misplaced = assertFailsWith<TunnelException.Config> { Configuration.parse("[Interface]\nAddress = $SECRET\n") }
        assertFalse(SECRET in "$misplaced ${misplaced.message}")
    }

    @Test
    fun `what is no key is told by its code`() {
        val error = assertFailsWith<TunnelException.Key> { PrivateKey.fromBase64("short") }
        assertEquals(-7, error.code())
        assertFailsWith<TunnelException.Key> { PublicKey.fromBytes(ByteArray(31)) }
        assertFailsWith<TunnelException.Key> { PublicKey.fromHex("\uD83D\uDD11".repeat(16)) }
    }
}
