// Whether memory is scarce.
import Foundation
import os

/// Tells when memory becomes scarce, and when there is enough again.
protocol MemoryWatch: AnyObject, Sendable {
    func start(_ tell: @escaping @Sendable (_ isScarce: Bool) -> Void)
    func stop()
}

#if canImport(Darwin)
final class SystemMemoryWatch: MemoryWatch, @unchecked Sendable {
    private let source = DispatchSource.makeMemoryPressureSource(eventMask: [.normal, .warning, .critical], queue: .global())

    func start(_ tell: @escaping @Sendable (Bool) -> Void) {
        source.setEventHandler { [weak source] in
            guard let source else { return }
            tell(!source.data.contains(.normal))
        }
        source.activate()
    }

    func stop() { source.cancel() }
}
#else
/// Linux tells nobody.
final class SystemMemoryWatch: MemoryWatch {
    func start(_ tell: @escaping @Sendable (Bool) -> Void) {}
    func stop() {}
}
#endif

/// Bytes that this process may still take.
func availableMemory() -> Int? {
    #if os(macOS)
    return nil
    #else
    return os_proc_available_memory()
    #endif
}
