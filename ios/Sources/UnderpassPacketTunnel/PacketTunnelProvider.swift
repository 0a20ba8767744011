// The class that an extension extends.
import Foundation
import NetworkExtension
import Underpass
import os

/// A packet tunnel extension. Extend it, name the class in the extension's Info.plist, and nothing else is needed: it takes the
/// configuration from the profile, brings the tunnel up, keeps it up as networks come and go, and answers `AppMessage`.
open class PacketTunnelProvider: NEPacketTunnelProvider, @unchecked Sendable {
    /// How packets come and go.
    public enum Driver: Sendable, Hashable {
        /// By `packetFlow`, which is public.
        case packetFlow
        /// By the descriptor of the virtual interface, which is not. When it cannot be told for certain, by `packetFlow`.
        case utun
    }

    private let lock = NSLock()
    private var session: TunnelSession?
    private let log = Logger(subsystem: "underpass", category: "tunnel")

    /// What the tunnel is made of. Throw to refuse the start.
    open func loadConfiguration() throws -> TunnelConfiguration { try ConfigurationStore.load(protocolConfiguration) }

    open var driver: Driver { .packetFlow }

    /// Other messages than those of `AppMessage`.
    open func handle(message: Data) async -> Data? { nil }

    func parts() -> SessionParts {
        let (kind, flow) = (driver, PacketFlowDriver(packetFlow))
        return SessionParts(
            driver: { addresses in
                let utun = kind == .utun ? addresses.first.flatMap { UtunDriver(holding: $0, in: SystemUtunTable()) } : nil
                return utun ?? flow
            },
            paths: SystemPathWatch(),
            loadFloors: { UserDefaults.standard.data(forKey: Self.floorsKey) },
            saveFloors: { UserDefaults.standard.set($0, forKey: Self.floorsKey) })
    }

    private static let floorsKey = "underpass.timestamps"

    open override func startTunnel(
        options: [String: NSObject]? = nil, completionHandler: @escaping @Sendable ((any Error)?) -> Void
    ) {
        let session: TunnelSession
        do {
            session = try TunnelSession(loadConfiguration(), host: self, parts: parts())
        } catch {
            note("no tunnel: \(error)")
            completionHandler(error)
            return
        }
        let old = lock.withLock {
            defer { self.session = session }
            return self.session
        }
        Task {
            await old?.stop()
            do {
                try await session.start()
                completionHandler(nil)
            } catch {
                self.note("no tunnel: \(error)")
                completionHandler(error)
            }
        }
    }

    open override func stopTunnel(with reason: NEProviderStopReason, completionHandler: @escaping @Sendable () -> Void) {
        let session = lock.withLock {
            defer { self.session = nil }
            return self.session
        }
        Task {
            await session?.stop()
            completionHandler()
        }
    }

    open override func sleep(completionHandler: @escaping @Sendable () -> Void) {
        let session = current
        Task {
            await session?.sleep()
            completionHandler()
        }
    }

    open override func wake() {
        let session = current
        Task { await session?.wake() }
    }

    open override func handleAppMessage(_ messageData: Data, completionHandler: (@Sendable (Data?) -> Void)? = nil) {
        let session = current
        Task {
            let reply: Data?
            if let message = try? JSONDecoder().decode(AppMessage.self, from: messageData) {
                let closed = AppReply.refused(code: TunnelError.Kind.closed.rawValue, reason: "there is no tunnel")
                reply = try? JSONEncoder().encode(await session?.answer(message) ?? closed)
            } else {
                reply = await self.handle(message: messageData)
            }
            completionHandler?(reply)
        }
    }

    private var current: TunnelSession? { lock.withLock { session } }
}

extension PacketTunnelProvider: SessionHost {
    func apply(_ settings: NetworkSettings, _ done: @escaping @Sendable ((any Error)?) -> Void) {
        setTunnelNetworkSettings(settings.make(), completionHandler: done)
    }

    // Elsewhere than on the main thread the system passes both over.
    func setReasserting(_ isReasserting: Bool) {
        DispatchQueue.main.async {
            if self.reasserting != isReasserting { self.reasserting = isReasserting }
        }
    }

    func cancel(_ error: any Error) {
        note("the tunnel ends: \(error)")
        DispatchQueue.main.async { self.cancelTunnelWithError(error) }
    }

    func note(_ text: String) { log.notice("\(text, privacy: .public)") }
}
