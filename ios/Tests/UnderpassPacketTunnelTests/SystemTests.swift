import Foundation
import NetworkExtension
import Testing
import Underpass

@testable import UnderpassPacketTunnel

private struct Table: UtunTable {
    var names: [Int32: String]
    var holder: String?
    func name(of descriptor: Int32) -> String? { names[descriptor] }
    func interface(holding address: String) -> String? { holder }
}

@Suite struct SystemTests {
    @Test func lesson31ADescriptorIsTakenOnlyByItsName() async throws {
        var (old, new): ([Int32], [Int32]) = ([0, 0], [0, 0])
        #expect(socketpair(AF_UNIX, datagramType, 0, &old) == 0)
        #expect(socketpair(AF_UNIX, datagramType, 0, &new) == 0)
        // An aborted start left utun3 behind.
        let names = [old[0]: "utun3", new[0]: "utun4"]
        #expect(UtunDriver(holding: "10.0.0.2", in: Table(names: names, holder: nil)) == nil)
        #expect(UtunDriver(holding: "10.0.0.2", in: Table(names: names, holder: "utun5")) == nil)
        let driver = try #require(UtunDriver(holding: "10.0.0.2", in: Table(names: names, holder: "utun4")))
        let read = Shared<[Data]>([])
        driver.start(on: DispatchQueue(label: "test")) { packets in read.change { $0 += packets } }
        let sent = packet(from: 1, to: 2, length: 100)
        driver.write([sent])
        var bytes = [UInt8](repeating: 0, count: 200)
        #expect(recv(new[1], &bytes, 200, 0) == 104)
        #expect(Array(bytes[0..<4]) == [0, 0, 0, UInt8(AF_INET)])
        #expect(Data(bytes[4..<104]) == sent)
        for length in [104, 3, 4] { #expect(send(new[1], bytes, length, 0) == length) }
        #expect(try await eventually { read.now == [sent] })
        driver.stop()
        for descriptor in old + new { close(descriptor) }
        #expect(SystemUtunTable().interface(holding: "127.0.0.1") == "lo")
        #expect(SystemUtunTable().interface(holding: "192.0.2.77") == nil)
    }

    @Test func configurationsLieInTheKeychain() throws {
        let text = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.0.0.2/32\n"
        let configuration = try TunnelConfiguration(wgQuick: text)
        let reference = try ConfigurationStore.save(configuration, name: "Home", accessGroup: "group")
        let settings = NETunnelProviderProtocol()
        #expect(throws: StoreError.noConfiguration) { try ConfigurationStore.load(settings) }
        settings.passwordReference = reference
        #expect(try ConfigurationStore.load(settings) == configuration)
        try ConfigurationStore.remove(reference)
        try ConfigurationStore.remove(reference)
        #expect(throws: StoreError.keychain(-25300)) { try ConfigurationStore.load(settings) }
        #expect(throws: StoreError.noConfiguration) { try ConfigurationStore.load(nil) }
    }

    @Test func settingsLeaveNoFamilyOutside() throws {
        let peer = TunnelConfiguration.Peer(
            publicKey: try PrivateKey.generate().publicKey(),
            allowedIPs: [IPNetwork(address: "0.0.0.0", prefix: 0), IPNetwork(address: "10.1.0.0", prefix: 16)])
        var configuration = TunnelConfiguration(
            privateKey: nil, addresses: [IPNetwork(address: "10.0.0.2", prefix: 24)], dnsServers: ["10.0.0.1"],
            searchDomains: ["corp.example"], peers: [peer])
        let made = NetworkSettings(configuration).make()
        #expect(made.mtu == 1280)
        #expect(made.ipv4Settings?.subnetMasks == ["255.255.255.0"])
        #expect(made.ipv4Settings?.includedRoutes?.map(\.destinationSubnetMask) == ["0.0.0.0", "255.255.0.0"])
        #expect(made.ipv6Settings?.includedRoutes?.map(\.destinationAddress) == ["::"], "IPv6 ends in the tunnel")
        #expect(made.dnsSettings?.matchDomains == [""] && made.dnsSettings?.searchDomains == ["corp.example"])
        configuration.peers[0].allowedIPs = [IPNetwork(address: "::", prefix: 0)]
        configuration.addresses = [IPNetwork(address: "fd00::2", prefix: 128)]
        configuration.mtu = 1400
        configuration.dnsServers = []
        let other = NetworkSettings(configuration).make()
        #expect(other.ipv6Settings?.networkPrefixLengths == [120])
        #expect(other.ipv4Settings?.includedRoutes?.map(\.destinationAddress) == ["0.0.0.0"], "IPv4 ends in the tunnel")
        #expect(other.mtu == 1400 && other.dnsSettings == nil)
        configuration.peers[0].allowedIPs = [IPNetwork(address: "fd00::", prefix: 8)]
        #expect(NetworkSettings(configuration).make().ipv4Settings == nil, "split tunnels stay split")
    }

    @Test func theKillSwitchIsOneOfTheSystemsModes() {
        var exclusions = LeakProtection.Exclusions()
        exclusions.localNetworks = true
        exclusions.apns = false
        let rows: [(LeakProtection, [Bool])] = [
            (.off, [false, false, false, true]), (.enforceRoutes(excludeLocalNetworks: true), [false, true, true, true]),
            (.allNetworks(exclusions), [true, false, true, false]),
        ]
        for (protection, wanted) in rows {
            let settings = NETunnelProviderProtocol()
            settings.includeAllNetworks = protection == .off
            protection.apply(to: settings)
            let is_ = [settings.includeAllNetworks, settings.enforceRoutes, settings.excludeLocalNetworks, settings.excludeAPNs]
            #expect(is_ == wanted)
        }
    }

    @Test func onDemandRulesAreInTheOrderThatCounts() {
        func said(_ policy: OnDemandPolicy) -> [String] {
            policy.rules().map {
                "\($0 is NEOnDemandRuleConnect ? "+" : "-")\($0.interfaceTypeMatch)\($0.ssidMatch.map { " \($0.joined())" } ?? "")"
            }
        }
        #expect(said(.off) == [])
        #expect(said(.always) == ["+any"])
        #expect(said(.when(wifi: .any, others: false)) == ["+wiFi", "-cellular"])
        #expect(said(.when(wifi: .never, others: true)) == ["-wiFi", "+cellular"])
        #expect(said(.when(wifi: .only(["Office"]), others: true)) == ["+wiFi Office", "-wiFi", "+cellular"])
        #expect(said(.when(wifi: .except(["Home"]), others: true)) == ["-wiFi Home", "+wiFi", "+cellular"])
    }

    @Test @MainActor func aProfileIsSavedOnceAndTakesTheNextConfiguration() async throws {
        var profile = TunnelProfile(name: "Home", extensionIdentifier: "org.example.app.tunnel", accessGroup: "group")
        profile.onDemand = .always
        profile.leakProtection = .enforceRoutes(excludeLocalNetworks: true)
        let peer = TunnelConfiguration.Peer(
            publicKey: try PrivateKey.generate().publicKey(), endpoint: .name(host: "vpn.example", port: 51820))
        var configuration = TunnelConfiguration(privateKey: try PrivateKey.generate(), peers: [peer])
        let manager = try await profile.install(configuration)
        let first = try #require(manager.protocolConfiguration as? NETunnelProviderProtocol)
        #expect(first.serverAddress == "vpn.example" && first.enforceRoutes && manager.isOnDemandEnabled)
        let reference = try #require(first.passwordReference)
        configuration.mtu = 1300
        let again = try await profile.install(configuration)
        #expect(again === manager)
        #expect(try ConfigurationStore.load(again.protocolConfiguration) == configuration)
        #expect(throws: StoreError.self) { try ConfigurationStore.text(reference) }
        // What the user did not allow leaves nothing behind.
        let kept = (again.protocolConfiguration as? NETunnelProviderProtocol)?.passwordReference
        NEVPNManager.refusal = Refusal()
        defer { NEVPNManager.refusal = nil }
        await #expect(throws: Refusal.self) { _ = try await profile.install(configuration) }
        #expect(try ConfigurationStore.text(try #require(kept)).contains("MTU = 1300"))
    }
}
