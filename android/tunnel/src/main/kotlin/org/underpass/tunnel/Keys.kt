package org.underpass.tunnel

import org.underpass.tunnel.internal.asking
import org.underpass.tunnel.internal.PresharedKey as CorePresharedKey
import org.underpass.tunnel.internal.PrivateKey as CorePrivateKey
import org.underpass.tunnel.internal.PublicKey as CorePublicKey

/** A private key. It lies in native memory and is wiped when nobody holds it any more; no text of it is made unasked. */
public class PrivateKey internal constructor(internal val core: CorePrivateKey) {
    /** The public key that belongs to it. */
    public val publicKey: PublicKey by lazy { PublicKey(core.publicKey()) }

    /** 44 characters of base64, for a configuration. The text is not wiped. */
    public fun toBase64(): String = core.toBase64()

    override fun equals(other: Any?): Boolean = other is PrivateKey && core == other.core

    override fun hashCode(): Int = publicKey.hashCode()

    override fun toString(): String = "PrivateKey(hidden)"

    public companion object {
        /** A new key. */
        @JvmStatic
        public fun generate(): PrivateKey = asking { PrivateKey(CorePrivateKey.generate()) }

        /** The key of 44 characters of base64; [ErrorCode.KEY] for any other text. */
        @JvmStatic
        public fun fromBase64(text: String): PrivateKey = asking { PrivateKey(CorePrivateKey.fromBase64(text)) }
    }
}

/** A secret that is shared with a peer. It lies in native memory, as a [PrivateKey] does. */
public class PresharedKey internal constructor(internal val core: CorePresharedKey) {
    /** 44 characters of base64, for a configuration. The text is not wiped. */
    public fun toBase64(): String = core.toBase64()

    override fun equals(other: Any?): Boolean = other is PresharedKey && core == other.core

    // The same for all: a hash of a secret would tell of it.
    override fun hashCode(): Int = PresharedKey::class.hashCode()

    override fun toString(): String = "PresharedKey(hidden)"

    public companion object {
        /** A new key. */
        @JvmStatic
        public fun generate(): PresharedKey = asking { PresharedKey(CorePresharedKey.generate()) }

        /** The key of 44 characters of base64; [ErrorCode.KEY] for any other text. */
        @JvmStatic
        public fun fromBase64(text: String): PresharedKey = asking { PresharedKey(CorePresharedKey.fromBase64(text)) }
    }
}

/** A public key, by which a peer is known. */
public class PublicKey internal constructor(internal val core: CorePublicKey) {
    private val base64 by lazy { core.toBase64() }

    /** 44 characters of base64. */
    public fun toBase64(): String = base64

    override fun equals(other: Any?): Boolean = other is PublicKey && base64 == other.base64

    override fun hashCode(): Int = base64.hashCode()

    /** Its base64: it is no secret. */
    override fun toString(): String = base64

    public companion object {
        /** The key of 44 characters of base64; [ErrorCode.KEY] for any other text. */
        @JvmStatic
        public fun fromBase64(text: String): PublicKey = asking { PublicKey(CorePublicKey.fromBase64(text)) }
    }
}
