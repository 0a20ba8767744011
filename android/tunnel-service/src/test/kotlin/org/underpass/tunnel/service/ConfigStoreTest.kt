package org.underpass.tunnel.service

import android.os.UserManager
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import java.io.File
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

@RunWith(RobolectricTestRunner::class)
class ConfigStoreTest {
    private fun key(fill: Int): SecretKey = SecretKeySpec(ByteArray(32) { fill.toByte() }, "AES")

    private val store = ConfigStore(application, { key(1) })
    private val files get() = File(application.noBackupFilesDir, "underpass").listFiles()!!.toList()

    @Test
    fun `what is kept is read again, under any name`() {
        val names = listOf("default", "Büro/1 ☂", "..")
        for (name in names) store.save(name, config())
        assertEquals(names.sorted(), store.names())
        for (name in names) assertEquals(config(), store.load(name))
        assertNull(store.load("other"))
        assertTrue(store.delete("default"))
        assertFalse(store.delete("default"))
        assertEquals(names.sorted() - "default", store.names())
        assertEquals(2, files.size)
    }

    @Test
    fun `nothing of it lies open, and no backup takes it`() {
        store.save("default", config())
        store.save("default", config())
        val file = files.single()
        assertTrue(file.startsWith(application.noBackupFilesDir))
        val text = String(file.readBytes(), Charsets.ISO_8859_1)
        for (secret in listOf("PrivateKey", "yAnz5TF", "10.7.0.2", "default")) assertFalse(secret in text)
    }

    @Test
    fun `a file that was changed, moved or of another device is refused`() {
        store.save("default", config())
        val file = files.single()
        val bytes = file.readBytes()
        fun refused(name: String = "default", by: ConfigStore = store) =
            assertEquals(VpnError.STORE_UNREADABLE, assertFailsWith<VpnException> { by.load(name) }.error)
        refused(by = ConfigStore(application, { key(2) }))
        for (at in listOf(0, 1, 5, 20, bytes.size - 1)) {
            file.writeBytes(bytes.copyOf().also { it[at] = (it[at] + 1).toByte() })
            refused()
        }
        for (length in listOf(0, 1, 2, 14, 20)) {
            file.writeBytes(bytes.copyOf(length))
            refused()
        }
        file.writeBytes(bytes)
        store.save("other", config())
        file.copyTo(files.single { it != file }, overwrite = true)
        refused("other")
        assertEquals(config(), store.load("default"))
    }

    @Test
    fun `before the first unlock there is a reason, not a crash`() {
        store.save("default", config())
        shadowOf(application.getSystemService(UserManager::class.java)).setUserUnlocked(false)
        for (call in listOf<() -> Any?>({ store.load("default") }, { store.names() }, { store.save("a", config()) }, { store.delete("default") })) {
            assertEquals(VpnError.LOCKED, assertFailsWith<VpnException> { call() }.error)
        }
    }

    @Test
    fun `timestamps are kept beside it and go with it`() {
        store.save("default", config())
        store.saveFloors("default", byteArrayOf(1, 2, 3))
        assertContentEquals(byteArrayOf(1, 2, 3), store.loadFloors("default"))
        assertNull(ConfigStore(application, { key(2) }).loadFloors("default"), "a tunnel does without")
        store.delete("default")
        assertNull(store.loadFloors("default"))
    }

    @Test
    fun `the key is one of the Keystore, made once`() {
        FakeKeystore.install()
        try {
            ConfigStore(application).save("default", config())
            assertEquals(setOf("org.underpass.tunnel.store"), FakeKeystore.keys.keys)
            assertEquals(config(), ConfigStore(application).load("default"))
            // A device to which the files were moved has another key.
            FakeKeystore.keys.clear()
            assertEquals(VpnError.STORE_UNREADABLE, assertFailsWith<VpnException> { ConfigStore(application).load("default") }.error)
        } finally {
            FakeKeystore.remove()
        }
    }

    @Test
    fun `a keystore that fails is told`() {
        assertEquals(VpnError.STORE_UNREADABLE, assertFailsWith<VpnException> { ConfigStore(application).save("default", config()) }.error)
    }
}
