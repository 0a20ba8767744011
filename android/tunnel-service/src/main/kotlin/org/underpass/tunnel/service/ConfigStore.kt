package org.underpass.tunnel.service

import android.content.Context
import android.os.UserManager
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.util.AtomicFile
import org.underpass.tunnel.TunnelConfig
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.KeyStore
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * Keeps configurations encrypted under a key of the Android Keystore, which never leaves the device, in a folder that no backup
 * takes. What cannot be read is a [VpnException]: [VpnError.LOCKED] before the first unlock, [VpnError.STORE_UNREADABLE] when key or
 * file are not those of this device.
 */
public class ConfigStore internal constructor(private val context: Context, private val keys: StoreKeys) {
    public constructor(context: Context) : this(context, KeystoreKeys)

    private val folder = File(context.noBackupFilesDir, "underpass")

    /** Keeps a configuration under a name, in the place of an earlier one. */
    public fun save(name: String, config: TunnelConfig): Unit = write("$name.conf", config.toText().toByteArray())

    /** The configuration with that name; `null`: there is none. */
    public fun load(name: String): TunnelConfig? = read("$name.conf")?.let { TunnelConfig.parse(String(it)) }

    /** The names of all configurations. */
    public fun names(): List<String> {
        unlocked()
        return folder.list().orEmpty().mapNotNull(::unescaped).filter { it.endsWith(".conf") }.map { it.removeSuffix(".conf") }.sorted()
    }

    /** Forgets a configuration. Says whether there was one. */
    public fun delete(name: String): Boolean {
        unlocked()
        AtomicFile(fileOf("$name.floors")).delete()
        return fileOf("$name.conf").let { file -> file.exists().also { AtomicFile(file).delete() } }
    }

    /** Keeps what `Tunnel.savedFloors` gave. */
    public fun saveFloors(name: String, floors: ByteArray): Unit = write("$name.floors", floors)

    /** What [saveFloors] kept; `null` when there is none, or none that can be read: a tunnel does without. */
    public fun loadFloors(name: String): ByteArray? = try {
        read("$name.floors")
    } catch (_: VpnException) {
        null
    }

    private fun write(entry: String, plain: ByteArray) {
        unlocked()
        val cipher = Cipher.getInstance(TRANSFORMATION)
        val sealed = try {
            cipher.init(Cipher.ENCRYPT_MODE, keys.key())
            cipher.updateAAD(entry.toByteArray())
            cipher.doFinal(plain)
        } catch (failed: GeneralSecurityException) {
            throw VpnException(VpnError.STORE_UNREADABLE, cause = failed)
        } finally {
            plain.fill(0)
        }
        folder.mkdirs()
        val file = AtomicFile(fileOf(entry))
        val stream = file.startWrite()
        try {
            stream.write(byteArrayOf(VERSION, cipher.iv.size.toByte()) + cipher.iv + sealed)
            file.finishWrite(stream)
        } catch (failed: IOException) {
            file.failWrite(stream)
            throw failed
        }
    }

    private fun read(entry: String): ByteArray? {
        unlocked()
        val file = fileOf(entry)
        if (!file.exists()) return null
        val bytes = ByteArrayOutputStream().also { out -> AtomicFile(file).openRead().use { it.copyTo(out) } }.toByteArray()
        return try {
            if (bytes.size < 2 || bytes[0] != VERSION) throw GeneralSecurityException("not a file of this store")
            val body = 2 + bytes[1]
            if (bytes[1] !in 12..16 || bytes.size < body) throw GeneralSecurityException("not a file of this store")
            val cipher = Cipher.getInstance(TRANSFORMATION)
            cipher.init(Cipher.DECRYPT_MODE, keys.key(), GCMParameterSpec(TAG_BITS, bytes, 2, body - 2))
            cipher.updateAAD(entry.toByteArray())
            cipher.doFinal(bytes, body, bytes.size - body)
        } catch (failed: GeneralSecurityException) {
            throw VpnException(VpnError.STORE_UNREADABLE, cause = failed)
        }
    }

    private fun unlocked() {
        val users = context.getSystemService(UserManager::class.java)
        if (users != null && !users.isUserUnlocked) throw VpnException(VpnError.LOCKED)
    }

    /** A name may be anything; a file name may not. */
    private fun fileOf(entry: String) = File(folder, entry.toByteArray().joinToString("") { "%02x".format(it) })

    private fun unescaped(file: String): String? =
        runCatching { String(ByteArray(file.length / 2) { file.substring(2 * it, 2 * it + 2).toInt(16).toByte() }) }.getOrNull()

    private companion object {
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val TAG_BITS = 128
        const val VERSION: Byte = 1
    }
}

/** Where the key of the store comes from. */
internal fun interface StoreKeys {
    fun key(): SecretKey
}

/** A key of the Android Keystore, made when it is first needed. It works while the screen is locked, as a VPN has to. */
internal object KeystoreKeys : StoreKeys {
    private const val KEYSTORE = "AndroidKeyStore"
    private const val ALIAS = "org.underpass.tunnel.store"

    override fun key(): SecretKey {
        val store = try {
            KeyStore.getInstance(KEYSTORE).apply { load(null) }
        } catch (failed: IOException) {
            throw GeneralSecurityException(failed)
        }
        (store.getKey(ALIAS, null) as? SecretKey)?.let { return it }
        val spec = KeyGenParameterSpec.Builder(ALIAS, KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).apply { init(spec) }.generateKey()
    }
}
