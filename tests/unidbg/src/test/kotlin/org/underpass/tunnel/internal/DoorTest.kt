package org.underpass.tunnel.internal

import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.junit.jupiter.api.Test

/** The control plane of the emulated library, by its C functions, and the edges of its feed. */
class DoorTest {
    @Test
    fun `the contract, all checksums and the version are those of the generated Kotlin`() {
        val generated = File(System.getProperty("underpass.generated")).readText()
        val sums = Regex("""lib\.(uniffi_underpass_uniffi_checksum_\w+)\(\) and 0xFFFF\) != (\d+)""").findAll(generated).toList()
        val contract = Regex("""bindings_contract_version = (\d+)""").find(generated)!!.groupValues[1].toInt()
        assertEquals(Regex("""external fun uniffi_underpass_uniffi_checksum_""").findAll(generated).count(), sums.size)
        assertTrue(sums.size > 60, "${sums.size}")
        Bionic().use { bionic ->
            val door = Door(bionic)
            assertEquals(contract, door.plain("ffi_underpass_uniffi_uniffi_contract_version"))
            for (sum in sums) assertEquals(sum.groupValues[2].toInt(), door.plain(sum.groupValues[1]) and 0xffff, sum.groupValues[1])
            assertEquals(libraryVersion(), String(door.bytes("func_library_version")))
            assertEquals(vocabulary(), Door.read(door.bytes("func_vocabulary"), FfiConverterTypeVocabulary))
        }
    }

    @Test
    fun `known answers`() {
        Bionic().use { bionic ->
            val door = Door(bionic)
            // What `wg pubkey` of wireguard-tools says.
            for ((secret, public) in listOf(
                "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=" to "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
                "aDvLqz6hXbLRkMBRgKN0UbsN1oFkPgbTeOFTQIbf5Ws=" to "s6PjK9QJbf/0YC6lt2C88mE8qcmiYhg6t/9ynJYUCXg=",
            )) {
                val key = door.handle("constructor_privatekey_from_base64", secret.encodeToByteArray())
                assertEquals(public, String(door.bytes("method_publickey_to_base64", door.handle("method_privatekey_public_key", key))))
            }
        }
    }

    @Test
    fun `errors come with their place, and a panic is caught`() {
        Bionic().use { bionic ->
            val door = Door(bionic)
            val text = "[Interface]\nPrivateKey = junk\n"
            val refused = assertFailsWith<Refused> { door.handle("constructor_configuration_parse", text.encodeToByteArray()) }
            assertEquals(1, refused.code)
            val here = assertFailsWith<TunnelException> { Configuration.parse(text) }
            assertEquals(here.toString(), Door.read(refused.bytes, FfiConverterTypeTunnelError).toString())
            val panic = door.panics()
            assertEquals(2, panic.code)
            assertTrue("capacity" in String(panic.bytes), String(panic.bytes))
            assertEquals(0, door.handle("func_live_tunnels"))
        }
    }

    @Test
    fun `buffers that are too small, read-only or overlap are refused`() {
        Bionic().use { bionic ->
            fun open(slab: Bionic.Buffer, facts: Bionic.Buffer, slots: Int = 4) =
                bionic.long("open(JLjava/nio/ByteBuffer;Ljava/nio/ByteBuffer;II)J", 1L, slab.asObject, facts.asObject, slots, 2048)
            val good = bionic.Buffer(8192) to bionic.Buffer(512)
            val codes = vocabulary().statuses.associate { it.name to it.number.toLong() }
            assertEquals(codes.getValue("E_NULL"), open(good.first, good.second))
            assertEquals(codes.getValue("E_BUFFER"), open(bionic.Buffer(8191), good.second))
            assertEquals(codes.getValue("E_BUFFER"), open(good.first, bionic.Buffer(511)))
            assertEquals(codes.getValue("E_OVERLAP"), open(good.first, good.first, slots = 1))
            assertEquals(codes.getValue("E_ARGUMENT"), open(bionic.Buffer(8192, readOnly = true), good.second))
            assertEquals(0, bionic.int("liveFeeds()I"))
        }
    }
}
