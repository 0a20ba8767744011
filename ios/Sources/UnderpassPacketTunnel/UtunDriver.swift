// The descriptor of the virtual interface itself: opt-in.
import Foundation
import NetworkExtension

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Finds descriptors of virtual interfaces in this process. A test has its own.
protocol UtunTable {
    /// The name of the interface that the descriptor belongs to, if it is one of a virtual interface.
    func name(of descriptor: Int32) -> String?
    /// The name of the interface that has the address.
    func interface(holding address: String) -> String?
}

/// Reads and writes the descriptor of the virtual interface, which is faster than `packetFlow` and not public: the interface that has
/// the tunnel's address must be the descriptor's by name. A descriptor that an aborted start left behind is not taken.
final class UtunDriver: PacketDriver, @unchecked Sendable {
    private let descriptor: Int32
    private let room: UnsafeMutableRawBufferPointer
    private let lock = NSLock()
    private var source: (any DispatchSourceRead)?

    /// Packets that are read before they are handed on.
    private static let batch = 64
    /// The address family, before each packet.
    private static let header = 4

    /// nil: there is no such descriptor, take `PacketFlowDriver`.
    init?(holding address: String, in table: some UtunTable) {
        guard let wanted = table.interface(holding: address) else { return nil }
        // The newest of that name, where several are left.
        guard let found = (0..<Int32(1024)).reversed().first(where: { table.name(of: $0) == wanted }) else { return nil }
        // The original is the system's, and stays open.
        descriptor = dup(found)
        guard descriptor >= 0 else { return nil }
        room = .allocate(byteCount: 65536 + Self.header, alignment: 8)
    }

    func start(on queue: DispatchQueue, _ take: @escaping @Sendable ([Data]) -> Void) {
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [weak self] in
            guard let self else { return }
            let packets = self.read()
            if !packets.isEmpty { take(packets) }
        }
        // The descriptor stays open until the source has let go of it.
        source.setCancelHandler { withExtendedLifetime(self) {} }
        lock.withLock { self.source = source }
        source.activate()
    }

    private func read() -> [Data] {
        var packets: [Data] = []
        while packets.count < Self.batch {
            let count = recv(descriptor, room.baseAddress, room.count, dontWait)
            guard count > Self.header else { break }
            packets.append(Data(room[Self.header..<count]))
        }
        return packets
    }

    func write(_ packets: [Data]) {
        for packet in packets {
            var framed = withUnsafeBytes(of: UInt32(family(of: packet)).bigEndian) { Data($0) }
            framed.append(packet)
            // A queue that is full is loss as any other.
            _ = framed.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, dontWait) }
        }
    }

    func stop() {
        lock.withLock {
            source?.cancel()
            source = nil
        }
    }

    deinit {
        close(descriptor)
        room.deallocate()
    }
}

private let dontWait = Int32(MSG_DONTWAIT)

struct SystemUtunTable: UtunTable {
    func name(of descriptor: Int32) -> String? {
        #if canImport(Darwin)
        // SYSPROTO_CONTROL and UTUN_OPT_IFNAME, which Swift does not see.
        var name = [CChar](repeating: 0, count: Int(IFNAMSIZ))
        var length = socklen_t(name.count)
        guard getsockopt(descriptor, 2, 2, &name, &length) == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #else
        return nil
        #endif
    }

    func interface(holding address: String) -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let one = next?.pointee {
            if let at = one.ifa_addr, let text = Self.text(at), text == address { return String(cString: one.ifa_name) }
            next = one.ifa_next
        }
        return nil
    }

    private static func text(_ address: UnsafePointer<sockaddr>) -> String? {
        let length = Int32(address.pointee.sa_family) == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        guard [AF_INET, AF_INET6].contains(Int32(address.pointee.sa_family)) else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
