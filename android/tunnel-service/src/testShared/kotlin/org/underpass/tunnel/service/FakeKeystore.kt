package org.underpass.tunnel.service

import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.util.Collections
import java.util.Date
import java.util.Enumeration
import javax.crypto.KeyGeneratorSpi
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/** The Android Keystore by name, with keys in memory: Robolectric has none. */
object FakeKeystore {
    val keys = HashMap<String, SecretKey>()

    fun install() {
        keys.clear()
        Security.removeProvider(NAME)
        Security.addProvider(FakeProvider())
    }

    fun remove() = Security.removeProvider(NAME)

    const val NAME = "AndroidKeyStore"
}

class FakeProvider : Provider(FakeKeystore.NAME, 1.0, "keys in memory") {
    init {
        putService(Made(this, "KeyStore", FakeKeystore.NAME) { FakeStore() })
        putService(Made(this, "KeyGenerator", "AES") { FakeGenerator() })
    }

    private class Made(provider: Provider, type: String, name: String, private val make: () -> Any) :
        Service(provider, type, name, make.javaClass.name, null, null) {
        override fun newInstance(parameter: Any?): Any = make()
    }
}

class FakeGenerator : KeyGeneratorSpi() {
    private lateinit var alias: String

    override fun engineInit(random: SecureRandom?) = error("by its parameters")

    override fun engineInit(size: Int, random: SecureRandom?) = error("by its parameters")

    override fun engineInit(parameters: AlgorithmParameterSpec, random: SecureRandom?) {
        alias = parameters.javaClass.getMethod("getKeystoreAlias").invoke(parameters) as String
    }

    override fun engineGenerateKey(): SecretKey =
        SecretKeySpec(ByteArray(32).also { SecureRandom().nextBytes(it) }, "AES").also { FakeKeystore.keys[alias] = it }
}

class FakeStore : KeyStoreSpi() {
    override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit

    override fun engineGetKey(alias: String, password: CharArray?): Key? = FakeKeystore.keys[alias]

    override fun engineContainsAlias(alias: String) = alias in FakeKeystore.keys

    override fun engineAliases(): Enumeration<String> = Collections.enumeration(FakeKeystore.keys.keys)

    override fun engineSize() = FakeKeystore.keys.size

    override fun engineIsKeyEntry(alias: String) = alias in FakeKeystore.keys

    override fun engineIsCertificateEntry(alias: String) = false

    override fun engineDeleteEntry(alias: String) {
        FakeKeystore.keys.remove(alias)
    }

    override fun engineGetCreationDate(alias: String): Date? = null

    override fun engineGetCertificate(alias: String): Certificate? = null

    override fun engineGetCertificateChain(alias: String): Array<Certificate>? = null

    override fun engineGetCertificateAlias(certificate: Certificate): String? = null

    override fun engineSetKeyEntry(alias: String, key: Key, password: CharArray?, chain: Array<Certificate>?) = error("only generated")

    override fun engineSetKeyEntry(alias: String, key: ByteArray, chain: Array<Certificate>?) = error("only generated")

    override fun engineSetCertificateEntry(alias: String, certificate: Certificate) = error("no certificates")

    override fun engineStore(stream: OutputStream?, password: CharArray?) = Unit
}
