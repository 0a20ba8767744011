// Addresses between the packet feed and the system's sockets.
import Foundation
import Underpass

#if canImport(Darwin)
import Darwin
let datagramType = SOCK_DGRAM
#else
import Glibc
let datagramType = Int32(SOCK_DGRAM.rawValue)
#endif

extension RawEndpoint {
    var isV4: Bool {
        if case .v4 = address { return true }
        return false
    }

    /// From the system's form.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            let four = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in.self) }
            self.init(.v4(UInt32(bigEndian: four.sin_addr.s_addr)), port: UInt16(bigEndian: four.sin_port))
        case AF_INET6:
            let six = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in6.self) }
            let halves = withUnsafeBytes(of: six.sin6_addr) {
                (UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)), UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
            self.init(.v6(halves.0, halves.1), port: UInt16(bigEndian: six.sin6_port), scope: six.sin6_scope_id)
        default: return nil
        }
    }

    /// Lends the system's form of it.
    func withSystem<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        switch address {
        case .v4(let bits):
            var four = sockaddr_in()
            #if canImport(Darwin)
            four.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
            #endif
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr.s_addr = bits.bigEndian
            return lend(four, body)
        case .v6(let high, let low):
            var six = sockaddr_in6()
            #if canImport(Darwin)
            six.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
            #endif
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            six.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &six.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return lend(six, body)
        }
    }

    private func lend<T, R>(_ value: T, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafePointer(to: value) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<T>.size)) }
        }
    }

    /// The form that the control plane takes.
    var socketAddress: SocketAddress? {
        let family = isV4 ? AF_INET : AF_INET6
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let written: Bool
        switch address {
        case .v4(let bits):
            written = withUnsafePointer(to: bits.bigEndian) { inet_ntop(family, $0, &text, socklen_t(INET6_ADDRSTRLEN)) != nil }
        case .v6(let high, let low):
            written = withUnsafePointer(to: (high.bigEndian, low.bigEndian)) {
                inet_ntop(family, $0, &text, socklen_t(INET6_ADDRSTRLEN)) != nil
            }
        }
        guard written else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return SocketAddress(address: String(decoding: bytes, as: UTF8.self), port: port, scopeId: scope)
    }
}
