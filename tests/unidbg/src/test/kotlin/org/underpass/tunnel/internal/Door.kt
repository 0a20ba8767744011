package org.underpass.tunnel.internal

import com.github.unidbg.pointer.UnidbgPointer
import java.nio.ByteBuffer
import unicorn.Arm64Const

/** A refusal of a function of the control plane: 1, an error; 2, a panic that was caught. [bytes] says more. */
class Refused(val code: Int, val bytes: ByteArray) : RuntimeException("refused with $code")

/**
 * Calls the C functions of the control plane in the emulated library, as the generated Kotlin does in one of its own process. What
 * they take and give as bytes is written and read by the generated converters.
 */
class Door(private val bionic: Bionic) {
    private val status: UnidbgPointer = memory(32)
    private val result = memory(RUST_BUFFER)

    /** A function without a status. */
    fun plain(name: String): Int = bionic.module.callFunction(bionic.emulator, name).toInt()

    fun handle(name: String, vararg arguments: Any): Long = call(name, arguments).toLong()

    fun bytes(name: String, vararg arguments: Any): ByteArray {
        // By the rules of arm64, what is longer than 16 bytes is written to where x8 points.
        bionic.emulator.backend.reg_write(Arm64Const.UC_ARM64_REG_X8, result.peer)
        call(name, arguments)
        return taken(result)
    }

    /** Calls it with numbers and byte arrays, which go as buffers of the library. */
    private fun call(name: String, arguments: Array<out Any>): Number {
        val target = bionic.emulator.backend.reg_read(Arm64Const.UC_ARM64_REG_X8)
        val lowered = arguments.map { if (it is ByteArray) lend(it) else it }
        status.write(0, ByteArray(32), 0, 32)
        bionic.emulator.backend.reg_write(Arm64Const.UC_ARM64_REG_X8, target)
        val answer = bionic.module.callFunction(bionic.emulator, symbol(name), *lowered.toTypedArray(), status)
        val code = status.getByte(0).toInt()
        if (code != 0) throw Refused(code, taken(status.share(8) as UnidbgPointer))
        return answer
    }

    /** Calls with a buffer that cannot be, against which uniffi has an assertion. */
    fun panics(): Refused {
        val nonsense = memory(RUST_BUFFER).also { it.setLong(0, 5) }
        status.write(0, ByteArray(32), 0, 32)
        bionic.module.callFunction(bionic.emulator, symbol("ffi:rustbuffer_free"), nonsense, status)
        return Refused(status.getByte(0).toInt(), taken(status.share(8) as UnidbgPointer))
    }

    /** A buffer that the library owns, with these bytes. Arguments of that size go by address. */
    private fun lend(bytes: ByteArray): UnidbgPointer {
        val lent = memory(RUST_BUFFER)
        if (bytes.isEmpty()) return lent.also { it.setLong(16, 1) }
        bionic.emulator.backend.reg_write(Arm64Const.UC_ARM64_REG_X8, lent.peer)
        bionic.module.callFunction(bionic.emulator, symbol("ffi:rustbuffer_alloc"), bytes.size.toLong(), memory(32))
        check(lent.getLong(0) >= bytes.size) { "no memory" }
        lent.getPointer(16).write(0, bytes, 0, bytes.size)
        lent.setLong(8, bytes.size.toLong())
        return lent
    }

    /** The bytes of a buffer, which is given back. */
    private fun taken(buffer: UnidbgPointer): ByteArray {
        val bytes = if (buffer.getLong(8) == 0L) ByteArray(0) else buffer.getPointer(16).getByteArray(0, buffer.getLong(8).toInt())
        bionic.module.callFunction(bionic.emulator, symbol("ffi:rustbuffer_free"), buffer, memory(32))
        return bytes
    }

    private fun symbol(name: String): String =
        if (name.startsWith("ffi:")) "ffi_underpass_uniffi_${name.drop(4)}" else "uniffi_underpass_uniffi_fn_$name"

    private fun memory(size: Int): UnidbgPointer =
        bionic.emulator.memory.malloc(size, true).pointer.also { it.write(0, ByteArray(size), 0, size) }

    companion object {
        private const val RUST_BUFFER = 24

        fun <T> written(value: T, converter: FfiConverterRustBuffer<T>): ByteArray {
            val buffer = ByteBuffer.allocate(converter.allocationSize(value).toInt())
            converter.write(value, buffer)
            return buffer.array().copyOf(buffer.position())
        }

        fun <T> read(bytes: ByteArray, converter: FfiConverterRustBuffer<T>): T = converter.read(ByteBuffer.wrap(bytes))
    }
}
