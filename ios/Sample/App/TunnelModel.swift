// The application's side of the tunnel: its profile, its connection, and what the extension says.
import Foundation
import NetworkExtension
import Underpass
import UnderpassPacketTunnel

@MainActor final class TunnelModel: ObservableObject {
    @Published private(set) var status: AppReply.Status?
    @Published private(set) var connection = NEVPNStatus.invalid
    @Published var problem: String?

    private var manager: NETunnelProviderManager?
    private var polls: Task<Void, Never>?

    var isOn: Bool { connection == .connected || connection == .connecting || connection == .reasserting }

    /// Saves a wg-quick text as the profile. The system asks the user the first time.
    func install(_ text: String) async {
        do {
            let group = Bundle.main.object(forInfoDictionaryKey: "UnderpassAccessGroup") as? String ?? ""
            let identifier = (Bundle.main.bundleIdentifier ?? "") + ".tunnel"
            let profile = TunnelProfile(name: "Underpass", extensionIdentifier: identifier, accessGroup: group)
            manager = try await profile.install(TunnelConfiguration(wgQuick: text))
            problem = nil
            watch()
        } catch {
            // It says line, column and key, and repeats no value.
            problem = "\(error)"
        }
    }

    func toggle() {
        guard let connection = manager?.connection else { return }
        do {
            if isOn { connection.stopVPNTunnel() } else { try connection.startVPNTunnel() }
        } catch {
            problem = error.localizedDescription
        }
    }

    /// Looks at the tunnel as long as somebody looks at the model.
    func watch() {
        polls?.cancel()
        polls = Task { [weak self] in
            while !Task.isCancelled, let self {
                self.connection = self.manager?.connection.status ?? .invalid
                self.status = await self.ask()
                try? await Task.sleep(nanoseconds: 1_000_000_000)
            }
        }
    }

    func unwatch() { polls?.cancel() }

    private func ask() async -> AppReply.Status? {
        guard isOn, let session = manager?.connection as? NETunnelProviderSession, let message = try? AppMessage.status.encoded()
        else { return nil }
        let data: Data? = await withCheckedContinuation { done in
            do {
                try session.sendProviderMessage(message) { done.resume(returning: $0) }
            } catch {
                done.resume(returning: nil)
            }
        }
        guard let data, case .status(let status) = try? AppReply(data) else { return nil }
        return status
    }
}
