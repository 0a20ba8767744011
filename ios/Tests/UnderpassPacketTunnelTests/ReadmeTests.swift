import Foundation
import Testing

@testable import UnderpassPacketTunnel

/// The README shows code that compiles: these two files, as they are.
@Suite struct ReadmeTests {
    private let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    @Test(arguments: ["ReadmeExample.swift", "../../Sample/Tunnel/SampleTunnelProvider.swift"])
    func theReadmeShowsTheExample(file: String) throws {
        let readme = try String(contentsOf: tests.appendingPathComponent("../../README.md"), encoding: .utf8)
        let code = try String(contentsOf: tests.appendingPathComponent(file), encoding: .utf8)
        #expect(readme.contains("```swift\n\(code)```"))
    }

    /// The sample is made as its documents say: the system finds the class, and both share the Keychain.
    @Test func theSamplesPropertyListsNameWhatIsThere() throws {
        func list(_ path: String) throws -> [String: Any] {
            let data = try Data(contentsOf: tests.appendingPathComponent("../../Sample/\(path)"))
            return try #require(try PropertyListSerialization.propertyList(from: data, format: nil) as? [String: Any])
        }
        let point = try #require(try list("Tunnel/Info.plist")["NSExtension"] as? [String: String])
        #expect(point["NSExtensionPointIdentifier"] == "com.apple.networkextension.packet-tunnel")
        #expect(point["NSExtensionPrincipalClass"] == "$(PRODUCT_MODULE_NAME).SampleTunnelProvider")
        let group = ["$(AppIdentifierPrefix)org.example.underpass"]
        for part in ["App/App.entitlements", "Tunnel/Tunnel.entitlements"] {
            let entitlements = try list(part)
            #expect(entitlements["keychain-access-groups"] as? [String] == group)
            #expect(
                entitlements["com.apple.developer.networking.networkextension"] as? [String] == ["packet-tunnel-provider"])
        }
        #expect(try list("App/Info.plist")["UnderpassAccessGroup"] as? String == group[0])
    }
}
