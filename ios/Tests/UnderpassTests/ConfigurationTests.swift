import Testing
import Underpass

@Suite struct ConfigurationTests {
    @Test func whatIsWrittenIsReadAsTheSame() throws {
        var configuration = try TunnelConfiguration(wgQuick: text)
        #expect(configuration.addresses.map(\.address) == ["10.0.0.2", "fd00::2"])
        #expect(configuration.dnsServers == ["10.0.0.1"])
        #expect(configuration.searchDomains == ["corp.example"])
        #expect(configuration.mtu == 1380)
        #expect(configuration.peers.count == 1)
        #expect(configuration.peers[0].endpoint == .name(host: "vpn.example", port: 51820))
        #expect(configuration.peers[0].persistentKeepalive == 25)
        let again = try TunnelConfiguration(wgQuick: try configuration.wgQuick())
        #expect(again == configuration)
        #expect(again.hashValue == configuration.hashValue)
        configuration.mtu = 1280
        #expect(again != configuration)
        #expect(try configuration.wgQuick().contains("MTU = 1280"))
    }

    @Test func whatPhonesHaveNoUseForStays() throws {
        let configuration = try TunnelConfiguration(wgQuick: text.replacing("MTU = 1380", with: "MTU = 1380\nFwMark = 7"))
        #expect(try configuration.wgQuick().contains("FwMark = "))
    }

    @Test func anErrorSaysWhatIsWrongAndWhere() throws {
        let wrong = text.replacing("Endpoint = vpn.example:51820", with: "Endpoint = vpn.example")
        do {
            _ = try TunnelConfiguration(wgQuick: wrong)
            Issue.record("it was accepted")
        } catch {
            #expect(error.line == 10)
            #expect((error.column ?? 0) > 0)
            #expect(error.section == .peer)
            #expect(error.key == "Endpoint")
            #expect(!error.reason.isEmpty)
            #expect(error.code == -8)
            #expect(error.description.hasPrefix("line 10, column "))
        }
    }

    @Test func nothingSecretIsPrinted() throws {
        let wrong = text.replacing("PrivateKey = \(secret)", with: "PrivateKey = \(secret)x")
        do {
            _ = try TunnelConfiguration(wgQuick: wrong)
            Issue.record("it was accepted")
        } catch {
            #expect(error.line == 2)
            #expect(!"\(error) \(error.findings)".contains("yAnz5TF"))
        }
        let configuration = try TunnelConfiguration(wgQuick: text)
        for said in ["\(configuration)", "\(String(describing: configuration.privateKey))", String(reflecting: configuration.privateKey)] {
            #expect(!said.contains("yAnz5TF"))
        }
    }

    @Test func whatIsOddIsAWarning() throws {
        let host = try TunnelConfiguration(wgQuick: text.replacing("0.0.0.0/0, ::/0", with: "10.1.0.1/16"))
        #expect(host.warnings.contains { $0.key == "AllowedIPs" && !$0.isError })
    }

    @Test func whatCannotBeIsRefusedWithoutALine() throws {
        var configuration = try TunnelConfiguration(wgQuick: text)
        configuration.mtu = 20
        do {
            _ = try configuration.wgQuick()
            Issue.record("it was accepted")
        } catch {
            #expect(error.code == TunnelError.Kind.mtu.rawValue)
            #expect(error.line == nil)
        }
        configuration.mtu = nil
        configuration.peers.append(configuration.peers[0])
        #expect(throws: ConfigurationError.self) { _ = try configuration.wgQuick() }
    }
}
