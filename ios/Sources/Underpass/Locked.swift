// A value behind a lock, and streams with many readers.
import Foundation

/// A value that any thread may use. `body` is short and calls nobody else's code.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func with<R>(_ body: (inout Value) -> R) -> R {
        lock.lock()
        defer { lock.unlock() }
        return body(&value)
    }
}

/// Tells every stream the same. A reader that is slow loses the oldest of what it has not read. The first
/// reader also gets what was told before it came.
final class Broadcast<Element: Sendable>: Sendable {
    private struct State {
        var readers: [UUID: AsyncStream<Element>.Continuation] = [:]
        var isOver = false
        var latest: Element?
        /// What was told before the first reader came; nil since.
        var early: [Element]? = []
    }

    private let state = Locked(State())
    private let keepsLatest: Bool
    private let room: Int

    /// `keepsLatest`: a new stream begins with what was told last.
    init(keepsLatest: Bool, room: Int) {
        self.keepsLatest = keepsLatest
        self.room = room
    }

    func stream() -> AsyncStream<Element> {
        AsyncStream(bufferingPolicy: .bufferingNewest(room)) { continuation in
            let name = UUID()
            // As one step: what is told meanwhile comes after the latest.
            state.with { state in
                if keepsLatest, let latest = state.latest { continuation.yield(latest) }
                if !keepsLatest { state.early?.forEach { continuation.yield($0) } }
                state.early = nil
                if !state.isOver { state.readers[name] = continuation }
            }
            if state.with({ $0.isOver }) { continuation.finish() }
            continuation.onTermination = { [weak self] _ in self?.forget(name) }
        }
    }

    private func forget(_ name: UUID) {
        // What it held is let go outside the lock.
        _ = state.with { $0.readers.removeValue(forKey: name) }
    }

    func tell(_ element: Element) {
        let readers = state.with { state -> [AsyncStream<Element>.Continuation] in
            state.latest = element
            if !keepsLatest, let early = state.early { state.early = early.suffix(room - 1) + [element] }
            return Array(state.readers.values)
        }
        for reader in readers { reader.yield(element) }
    }

    func finish() {
        let readers = state.with { state -> [AsyncStream<Element>.Continuation] in
            state.isOver = true
            defer { state.readers = [:] }
            return Array(state.readers.values)
        }
        for reader in readers { reader.finish() }
    }
}
