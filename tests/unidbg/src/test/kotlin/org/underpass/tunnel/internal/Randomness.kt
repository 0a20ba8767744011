package org.underpass.tunnel.internal

import com.github.unidbg.Emulator
import com.github.unidbg.file.FileResult
import com.github.unidbg.file.IOResolver
import com.github.unidbg.file.linux.AndroidFileIO
import com.github.unidbg.linux.file.RandomFileIO
import com.sun.jna.NativeLibrary

/** The randomness of the emulated system: libraries of API 23 have no getrandom, so it is read from this device. */
class Randomness : IOResolver<AndroidFileIO> {
    private var state = 0L
    private var asked = 0

    /** How often bytes were taken. */
    val taken: Int get() = asked

    /** From here on the bytes are those of this seed, as in randomness.c. */
    fun seed(seed: Long) {
        state = seed
    }

    override fun resolve(emulator: Emulator<AndroidFileIO>, path: String, flags: Int): FileResult<AndroidFileIO>? =
        if (path == "/dev/urandom") FileResult.success(Device(emulator)) else null

    private inner class Device(emulator: Emulator<*>) : RandomFileIO(emulator, "/dev/urandom") {
        override fun randBytes(bytes: ByteArray) {
            asked += 1
            for (i in bytes.indices) {
                state = state * 6364136223846793005L + 1442695040888963407L
                bytes[i] = (state ushr 56).toByte()
            }
        }
    }

    companion object {
        /** The same of this process: randomness.c is loaded before all else. */
        fun seedHost(seed: Long) {
            NativeLibrary.getProcess().getFunction("test_seed").invokeVoid(arrayOf(seed))
        }
    }
}
