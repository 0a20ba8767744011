import Foundation
import NetworkExtension
import Testing
import Underpass

@testable import UnderpassPacketTunnel

@Suite struct ProviderTests {
    @Test func aTunnelComesUpAndPacketsGoBothWays() async throws {
        let stage = try Stage()
        #expect(await stage.provider.start() == nil)
        #expect(stage.provider.settings.now.map(\.mtu) == [1280])
        #expect(stage.provider.settings.now.map(\.addresses) == [["10.0.0.2"]])
        #expect(try await stage.roundTrip(1))
        // More than a slab holds, at once.
        let sent = (0..<150).map { packet(from: 2, to: 1, length: 100 + $0, mark: 2) }
        stage.provider.flow.send(sent)
        #expect(try await eventually { stage.provider.flow.written.now.count >= 151 })
        #expect(Set(stage.echo.packets.now).isSuperset(of: sent))
        #expect(stage.provider.flow.families.now == [Int(AF_INET)])
        let status = try await stage.provider.status()
        #expect(status.word == "up" && status.isConnected)
        #expect(status.rxBytes > 0 && status.txBytes > 0 && status.latestHandshake != nil)
        #expect(status.availableMemory == 50 << 20)
        #expect(status.drops.isEmpty, "\(status.drops)")
        // Longer than the MTU, longer than a slot, and no packet at all: counted, and the rest of the batch goes on.
        let odd = [packet(from: 2, to: 1, length: 1281), packet(from: 2, to: 1, length: 3000), Data([1]), Data()]
        stage.provider.flow.send(odd + [packet(from: 2, to: 1, length: 60, mark: 9)])
        #expect(try await eventually { stage.echo.packets.now.contains(packet(from: 2, to: 1, length: 60, mark: 9)) })
        let drops = try await stage.provider.status().drops
        #expect(drops == ["too_big": 2, "malformed_packet": 2])
        await stage.close()
        #expect(stage.provider.floors.now != nil)
        #expect(try await stage.provider.ask(.status) == .refused(code: -1, reason: "there is no tunnel"))
    }

    @Test func settingsThatAreRefusedAreAnErrorOfTheStart() async throws {
        let stage = try Stage()
        stage.provider.answer.change { $0 = .refuses }
        #expect(await stage.provider.start() is Refusal)
        stage.provider.flow.send([packet(from: 2, to: 1, length: 100)])
        // A second start is a new life.
        stage.provider.answer.change { $0 = .takes }
        #expect(await stage.provider.start() == nil)
        #expect(try await stage.roundTrip(3))
        await stage.close()
    }

    @Test func aSystemThatDoesNotAnswerIsNotWaitedForForEver() async throws {
        let stage = try Stage()
        stage.provider.answer.change { $0 = .isSilent }
        #expect(await stage.provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        await stage.close()
    }

    @Test func badConfigurationsAreErrorsOfTheStart() async throws {
        let wrong = Provider(text: "[Interface]\nPrivateKey = x\n")
        let error = await wrong.start() as? ConfigurationError
        #expect(error?.line == 2 && error?.key == "PrivateKey")
        let empty = Provider(text: "")
        (empty.protocolConfiguration as? NETunnelProviderProtocol)?.providerConfiguration = nil
        #expect(await empty.start() as? StoreError == .noConfiguration)
        #expect(await wrong.say(Data("hello".utf8)) == nil)
        await wrong.stop()
    }

    @Test func cancelComesOnTheMainThread() async throws {
        let stage = try Stage()
        let provider = stage.provider
        DispatchQueue.global().async { provider.cancel(Refusal()) }
        #expect(try await eventually { provider.cancelled.now == 1 })
        #expect(provider.onMain.now == [true])
        await stage.close()
    }

    @Test func damagedFloorsDoNotLockOut() async throws {
        let stage = try Stage()
        stage.provider.floors.change { $0 = Data([9]) }
        #expect(await stage.provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        await stage.close()
    }

    @Test func anUpdateTellsTheSystemOnlyWhatChanged() async throws {
        let stage = try Stage()
        #expect(await stage.provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        let handshakes = try await stage.gateway.statistics().handshakes
        let settings = stage.provider.protocolConfiguration as? NETunnelProviderProtocol
        let text = try #require(settings?.providerConfiguration?[ConfigurationStore.textKey] as? String)
        let kept = text + "\nPersistentKeepalive = 25\n"
        #expect(try await stage.provider.ask(.update(wgQuick: kept)) == .done)
        #expect(stage.provider.settings.now.count == 1)
        let other = text.replacing("DNS", with: "MTU = 1400\nDNS")
        #expect(try await stage.provider.ask(.update(wgQuick: other)) == .done)
        #expect(stage.provider.settings.now.map(\.mtu) == [1280, 1400])
        #expect(try await stage.roundTrip(2))
        #expect(try await stage.gateway.statistics().handshakes == handshakes, "the session goes on")
        guard case .refused(let code, let reason) = try await stage.provider.ask(.update(wgQuick: "nonsense")) else {
            Issue.record("it was accepted")
            return
        }
        #expect(code == -8 && reason.hasPrefix("line 1"))
        #expect(try await stage.roundTrip(3))
        await stage.close()
    }
}
