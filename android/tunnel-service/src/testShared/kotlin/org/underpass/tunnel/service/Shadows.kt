package org.underpass.tunnel.service

import android.app.Notification
import android.net.Network
import android.net.VpnService
import android.os.ParcelFileDescriptor
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.annotation.RealObject
import org.robolectric.annotation.Resetter
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowVpnService
import org.robolectric.util.ReflectionHelpers

/** The framework's own builder with all its checks, but for what asks the system: [establish] and whether a package is there. */
@Implements(VpnService.Builder::class)
class ShadowVpnBuilder {
    @RealObject private lateinit var real: VpnService.Builder

    @Implementation
    protected fun establish(): ParcelFileDescriptor? {
        val config = ReflectionHelpers.getField<Any>(real, "mConfig")
        // As the real one does.
        ReflectionHelpers.setField(config, "addresses", ReflectionHelpers.getField<Any>(real, "mAddresses"))
        ReflectionHelpers.setField(config, "routes", ReflectionHelpers.getField<Any>(real, "mRoutes"))
        configs += config
        refusal?.let { throw it }
        if (refuse) return null
        return Descriptors.wrapped(Descriptors.open())
    }

    @Implementation
    protected fun verifyApp(name: String) = Unit

    companion object {
        val configs = mutableListOf<Any>()
        var refuse = false
        var refusal: RuntimeException? = null

        @JvmStatic
        @Resetter
        fun reset() {
            configs.clear()
            refuse = false
            refusal = null
        }
    }
}

/** Descriptors that are nothing but a number that is open or not: real ones need parts of Android's runtime that the JVM lacks. */
object Descriptors {
    private val open = mutableSetOf<Int>()
    private var next = 1000

    fun open(): Int = next++.also { open += it }

    fun isOpen(number: Int): Boolean = number in open

    fun close(number: Int) = check(open.remove(number)) { "$number is closed twice" }

    fun count(): Int = open.size

    fun wrapped(number: Int): ParcelFileDescriptor {
        val made = ReflectionHelpers.callConstructor(
            ParcelFileDescriptor::class.java,
            ReflectionHelpers.ClassParameter.from(java.io.FileDescriptor::class.java, java.io.FileDescriptor()),
        )
        Shadow.extract<ShadowDescriptor>(made).number = number
        return made
    }

    fun reset() = open.clear()
}

@Implements(ParcelFileDescriptor::class)
class ShadowDescriptor {
    var number = -1

    @Implementation
    protected fun __constructor__(descriptor: java.io.FileDescriptor) = Unit

    @Implementation
    protected fun detachFd(): Int = number.also { number = -1 }

    @Implementation
    protected fun getFd(): Int = number

    @Implementation
    protected fun close() {
        if (number >= 0) Descriptors.close(number)
        number = -1
    }

    companion object {
        @JvmStatic
        @Implementation
        fun adoptFd(number: Int): ParcelFileDescriptor = Descriptors.wrapped(number)

        @JvmStatic
        @Resetter
        fun reset() = Descriptors.reset()
    }
}

/** Remembers what is protected and which networks are said to be below. */
@Implements(VpnService::class)
class RecordingVpnService : ShadowVpnService() {
    @Implementation
    protected fun protect(socket: Int): Boolean {
        protected += socket
        return answer
    }

    @Implementation
    protected fun setUnderlyingNetworks(networks: Array<Network>?): Boolean {
        below += networks?.toList()
        return true
    }

    @Implementation
    protected fun isLockdownEnabled(): Boolean = lockdown

    /** The system's say about services in the foreground: -1 is no type. */
    @Implementation
    override fun startForeground(id: Int, notification: Notification) = enter(-1)

    @Implementation
    override fun startForeground(id: Int, notification: Notification, type: Int) = enter(type)

    private fun enter(type: Int) {
        entered += type
        refusal?.let { throw it }
    }

    companion object {
        val protected = mutableListOf<Int>()
        val below = mutableListOf<List<Network>?>()
        var answer = true
        var lockdown = false

        /** The types of services that went into the foreground, or tried. */
        val entered = mutableListOf<Int>()
        var refusal: RuntimeException? = null

        @JvmStatic
        @Resetter
        fun clear() {
            entered.clear()
            refusal = null
            protected.clear()
            below.clear()
            answer = true
            lockdown = false
            ShadowVpnService.reset()
        }
    }
}
