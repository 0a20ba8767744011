// swift-tools-version:6.0
import PackageDescription

// Apple systems take the library that build-xcframework.sh makes. On Linux, where the tests run, it is found by the linker, and
// packages of the same names stand in for Apple's frameworks.
#if os(Linux)
let library: Target = .systemLibrary(name: "UnderpassFFI", path: "Sources/UnderpassFFI")
let link: [LinkerSetting] = [.linkedLibrary("underpass_swift")]
let names = ["NetworkExtension", "Network", "Security", "os"]
let stubs: [Target] = names.map { .target(name: $0, path: "Tests/Stubs/\($0)") }
let frameworks: [Target.Dependency] = names.map { .target(name: $0) }
// The sample's extension. Its application needs SwiftUI, and is only parsed here.
let sample: [Target] = [
    .target(
        name: "SampleTunnel", dependencies: ["UnderpassPacketTunnel"], path: "Sample/Tunnel",
        exclude: ["Info.plist", "Tunnel.entitlements"])
]
#else
let library: Target = .binaryTarget(name: "UnderpassFFI", path: "UnderpassFFI.xcframework")
let link: [LinkerSetting] = []
let stubs: [Target] = []
let frameworks: [Target.Dependency] = []
let sample: [Target] = []
#endif

let package = Package(
    name: "Underpass",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [
        .library(name: "Underpass", targets: ["Underpass"]),
        .library(name: "UnderpassPacketTunnel", targets: ["UnderpassPacketTunnel"]),
    ],
    targets: stubs + sample + [
        library,
        // What uniffi wrote: not for applications.
        .target(name: "UnderpassBindings", dependencies: ["UnderpassFFI"], linkerSettings: link),
        .target(name: "Underpass", dependencies: ["UnderpassBindings", "UnderpassFFI"]),
        .target(name: "UnderpassPacketTunnel", dependencies: ["Underpass"] + frameworks),
        .testTarget(name: "UnderpassTests", dependencies: ["Underpass", "UnderpassBindings", "UnderpassFFI"]),
        .testTarget(name: "UnderpassPacketTunnelTests", dependencies: ["UnderpassPacketTunnel"] + frameworks),
    ],
    swiftLanguageModes: [.v6]
)
