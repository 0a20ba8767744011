package org.underpass.tunnel.internal

import com.github.unidbg.AndroidEmulator
import com.github.unidbg.Emulator
import com.github.unidbg.Module
import com.github.unidbg.arm.Arm64Svc
import com.github.unidbg.arm.backend.Unicorn2Factory
import com.github.unidbg.file.linux.AndroidFileIO
import com.github.unidbg.linux.android.AndroidEmulatorBuilder
import com.github.unidbg.linux.android.AndroidResolver
import com.github.unidbg.linux.android.dvm.AbstractJni
import com.github.unidbg.linux.android.dvm.BaseVM
import com.github.unidbg.linux.android.dvm.DvmClass
import com.github.unidbg.linux.android.dvm.DvmMethod
import com.github.unidbg.linux.android.dvm.DvmObject
import com.github.unidbg.linux.android.dvm.VM
import com.github.unidbg.linux.android.dvm.VaList
import com.github.unidbg.linux.android.dvm.VarArg
import com.github.unidbg.pointer.UnidbgPointer
import com.github.unidbg.spi.SyscallHandler
import java.io.File
import unicorn.Arm64Const

/** The library for Android, loaded by the system libraries of API 23 on an emulated arm64. */
class Bionic : AutoCloseable {
    val emulator: AndroidEmulator =
        AndroidEmulatorBuilder.for64Bit().addBackendFactory(Unicorn2Factory(true)).build()
    val module: Module
    val randomness = Randomness()
    private val vm: VM
    private val feeds: DvmClass

    init {
        emulator.memory.setLibraryResolver(AndroidResolver(23))
        @Suppress("UNCHECKED_CAST")
        (emulator.syscallHandler as SyscallHandler<AndroidFileIO>).addIOResolver(randomness)
        vm = emulator.createDalvikVM()
        vm.setJni(Buffers)
        supplyDirectBuffers()
        val library = vm.loadLibrary(File(System.getProperty("underpass.android")), true)
        module = library.module
        library.callJNI_OnLoad(emulator)
        feeds = vm.resolveClass("org/underpass/tunnel/internal/NativeFeed")
    }

    /** A direct buffer of Java: its memory in the emulated process. */
    inner class Buffer(val capacity: Int, val readOnly: Boolean = false) {
        val memory: UnidbgPointer = emulator.memory.malloc(capacity, true).pointer
        val asObject: DvmObject<Buffer> = vm.resolveClass("java/nio/ByteBuffer").newObject(this).let {
            @Suppress("UNCHECKED_CAST")
            it as DvmObject<Buffer>
        }
    }

    fun int(method: String, vararg arguments: Any?): Int = feeds.callStaticJniMethodInt(emulator, method, *arguments)

    fun long(method: String, vararg arguments: Any?): Long = feeds.callStaticJniMethodLong(emulator, method, *arguments)

    fun void(method: String, vararg arguments: Any?) = feeds.callStaticJniMethod(emulator, method, *arguments)

    override fun close() = emulator.close()

    /** The emulated Java lacks GetDirectBufferAddress and GetDirectBufferCapacity, numbers 230 and 231 of its functions. */
    private fun supplyDirectBuffers() {
        val functions = (vm.jniEnv as UnidbgPointer).getPointer(0)
        functions.setPointer(230L * Long.SIZE_BYTES, supplied { it.memory.peer })
        functions.setPointer(231L * Long.SIZE_BYTES, supplied { it.capacity.toLong() })
    }

    private fun supplied(answer: (Buffer) -> Long): UnidbgPointer =
        emulator.svcMemory.registerSvc(object : Arm64Svc() {
            override fun handle(emulator: Emulator<*>): Long {
                val reference = emulator.backend.reg_read(Arm64Const.UC_ARM64_REG_X1).toInt()
                return answer(vm.getObject<DvmObject<*>>(reference).value as Buffer)
            }
        })

    /** What the library asks of a buffer beside that. */
    private object Buffers : AbstractJni() {
        override fun callBooleanMethod(vm: BaseVM, of: DvmObject<*>, method: DvmMethod, arguments: VarArg): Boolean = asked(of, method.signature)

        override fun callBooleanMethodV(vm: BaseVM, of: DvmObject<*>, method: DvmMethod, arguments: VaList): Boolean = asked(of, method.signature)

        private fun asked(of: DvmObject<*>, signature: String): Boolean {
            check(signature == "java/nio/ByteBuffer->isReadOnly()Z") { signature }
            return (of.value as Buffer).readOnly
        }
    }
}
