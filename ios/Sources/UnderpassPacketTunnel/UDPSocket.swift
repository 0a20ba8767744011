// One UDP socket of one address family.
import Foundation
import Underpass

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A call of the system that failed.
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
    public let call: String
    public let number: Int32
    public var description: String { "\(call): \(String(cString: strerror(number)))" }
}

/// A network interface that sockets are bound to.
struct BoundInterface: Sendable, Hashable {
    let name: String
    let index: Int
}

/// A UDP socket. It belongs to the queue of its loop.
final class UDPSocket {
    let descriptor: Int32
    let isV4: Bool

    /// Bound to `interface`, if one is given: on Apple systems a socket that is not stays on the interface that was there first.
    init(v4: Bool, port: UInt16, interface: BoundInterface?) throws(SystemError) {
        isV4 = v4
        descriptor = socket(v4 ? AF_INET : AF_INET6, datagramType, 0)
        guard descriptor >= 0 else { throw SystemError(call: "socket", number: errno) }
        // When this throws, `deinit` closes it.
        try prepare(port: port, interface: interface)
    }

    private func prepare(port: UInt16, interface: BoundInterface?) throws(SystemError) {
        guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw SystemError(call: "fcntl", number: errno)
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // Room for what comes while the loop is at other work. The system may give less.
        try? set(SOL_SOCKET, SO_RCVBUF, 1 << 20)
        if !isV4 { try set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        if let interface {
            #if canImport(Darwin)
            let index = Int32(truncatingIfNeeded: interface.index)
            try isV4 ? set(IPPROTO_IP, IP_BOUND_IF, index) : set(IPPROTO_IPV6, IPV6_BOUND_IF, index)
            #else
            let done = interface.name.withCString {
                setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, $0, socklen_t(interface.name.utf8.count))
            }
            guard done == 0 else { throw SystemError(call: "setsockopt", number: errno) }
            #endif
        }
        let any = RawEndpoint(isV4 ? .v4(0) : .v6(0, 0), port: port)
        guard any.withSystem({ bind(descriptor, $0, $1) }) == 0 else { throw SystemError(call: "bind", number: errno) }
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
        let done = withUnsafePointer(to: value) {
            setsockopt(descriptor, level, option, $0, socklen_t(MemoryLayout<Int32>.size))
        }
        guard done == 0 else { throw SystemError(call: "setsockopt", number: errno) }
    }

    /// The port that it is bound to.
    var port: UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let done = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return done == 0 ? RawEndpoint(storage)?.port ?? 0 : 0
    }

    /// One datagram, if there is one: its bytes and where it came from.
    func receive(into room: UnsafeMutableRawBufferPointer) -> (count: Int, from: RawEndpoint)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, room.baseAddress, room.count, 0, $0, &length)
            }
        }
        guard count >= 0, let from = RawEndpoint(storage) else { return nil }
        return (count, from)
    }

    /// Sends a datagram. nil: it was sent, or the system's queue is full, which is loss as any other.
    func send(_ bytes: UnsafeRawBufferPointer, to: RawEndpoint) -> SendError? {
        let sent = to.withSystem { sendto(descriptor, bytes.baseAddress, bytes.count, 0, $0, $1) }
        return sent >= 0 ? nil : SendError(number: errno)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}

extension SendError {
    /// nil: nothing that says something of the way.
    init?(number: Int32) {
        switch number {
        case EAGAIN, ENOBUFS, EINTR: return nil
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN: self = .unreachable
        case EAFNOSUPPORT: self = .familyGone
        case EADDRNOTAVAIL: self = .noSource
        case EMSGSIZE: self = .tooBig
        case ECONNREFUSED: self = .refused
        case EPERM, EACCES: self = .denied
        default: self = .other
        }
    }
}
