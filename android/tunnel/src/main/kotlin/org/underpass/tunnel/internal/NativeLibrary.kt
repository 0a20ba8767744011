package org.underpass.tunnel.internal

/** The one library of both planes: a second copy would not know the tunnels of the first. */
internal object NativeLibrary {
    init {
        val path = System.getProperty("uniffi.component.underpass.libraryOverride")
        if (path != null) System.load(path) else System.loadLibrary("underpass_jni")
    }

    /** Loads it, once. */
    fun load() = Unit
}
