package org.underpass.tunnel

/** What moves packets between a virtual interface and the network, on a thread of its own. */
public interface DataPlane : AutoCloseable {
    /** Makes the sockets anew, since the machine is at another network. They are protected before anything is sent. */
    public fun rebind()

    /** Takes another TUN descriptor, which is its own from now on, and gives the old one back. */
    public fun replaceTun(tun: Int): Int

    /** Ends it and gives the TUN descriptor back; -1 if it has none any more. */
    public fun stop(): Int

    /** Ends it. Doing it again does nothing. */
    override fun close() {
        stop()
    }
}
