// Names and addresses of endpoints.
import Foundation
import Underpass

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Finds the address of an endpoint, outside the tunnel: what an extension asks for does not go through its own.
protocol EndpointResolver: Sendable {
    /// nil: there is none at present.
    func resolve(_ host: String, port: UInt16, preferIPv6: Bool) async -> RawEndpoint?
}

/// By `getaddrinfo`. On a network that has IPv6 only, Apple systems answer an IPv4 literal with the address that NAT64 gives it, as
/// long as it is not asked to take it as a number.
struct SystemResolver: EndpointResolver {
    func resolve(_ host: String, port: UInt16, preferIPv6: Bool) async -> RawEndpoint? {
        // It waits for the network: not on a thread of Swift's tasks.
        await withCheckedContinuation { done in
            DispatchQueue.global(qos: .utility).async {
                let all = Self.addresses(host, port: port)
                done.resume(returning: (preferIPv6 ? all.first { !$0.isV4 } : nil) ?? all.first)
            }
        }
    }

    private static func addresses(_ host: String, port: UInt16) -> [RawEndpoint] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = datagramType
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [RawEndpoint] = []
        var next = list
        while let one = next?.pointee {
            if let address = one.ai_addr, Int(one.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size {
                var storage = sockaddr_storage()
                withUnsafeMutableBytes(of: &storage) {
                    $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(one.ai_addrlen)))
                }
                if let endpoint = RawEndpoint(storage) { found.append(endpoint) }
            }
            next = one.ai_next
        }
        return found
    }
}
