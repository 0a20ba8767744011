// Stands in for NetworkExtension on Linux: only the declarations that the package uses. Not Apple's code. What follows `objc:` is the
// selector that Apple's declaration has; tests/swift/selectors.py looks each one up in a public list. No class here is Sendable nor
// belongs to an actor: code that passes so is right whatever Apple's says.
import Foundation

open class NEProvider: NSObject {
    open func sleep(completionHandler: @escaping @Sendable () -> Void) { completionHandler() }  // objc: sleepWithCompletionHandler:
    open func wake() {}  // objc: wake
}

open class NETunnelProvider: NEProvider {
    open var reasserting = false  // objc: reasserting setReasserting:
    open var protocolConfiguration: NEVPNProtocol = NETunnelProviderProtocol()  // objc: protocolConfiguration
    open func setTunnelNetworkSettings(  // objc: setTunnelNetworkSettings:completionHandler:
        _ tunnelNetworkSettings: NETunnelNetworkSettings?, completionHandler: (@Sendable ((any Error)?) -> Void)? = nil
    ) { completionHandler?(nil) }
    open func handleAppMessage(  // objc: handleAppMessage:completionHandler:
        _ messageData: Data, completionHandler: (@Sendable (Data?) -> Void)? = nil
    ) { completionHandler?(nil) }
}

public enum NEProviderStopReason: Int, Sendable {
    case none = 0
    case userInitiated = 1
    case providerFailed = 2
    case noNetworkAvailable = 3
}

open class NEPacketTunnelFlow: NSObject {
    open func readPackets(  // objc: readPacketsWithCompletionHandler:
        completionHandler: @escaping @Sendable ([Data], [NSNumber]) -> Void
    ) {}
    @discardableResult
    open func writePackets(_ packets: [Data], withProtocols protocols: [NSNumber]) -> Bool { true }  // objc: writePackets:withProtocols:
}

open class NEPacketTunnelProvider: NETunnelProvider {
    open var packetFlow = NEPacketTunnelFlow()  // objc: packetFlow
    open func startTunnel(  // objc: startTunnelWithOptions:completionHandler:
        options: [String: NSObject]? = nil, completionHandler: @escaping @Sendable ((any Error)?) -> Void
    ) { completionHandler(nil) }
    open func stopTunnel(  // objc: stopTunnelWithReason:completionHandler:
        with reason: NEProviderStopReason, completionHandler: @escaping @Sendable () -> Void
    ) { completionHandler() }
    open func cancelTunnelWithError(_ error: (any Error)?) {}  // objc: cancelTunnelWithError:
}
