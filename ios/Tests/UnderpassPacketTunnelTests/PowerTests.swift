import Foundation
import Testing
import Underpass

@testable import UnderpassPacketTunnel

@Suite struct PowerTests {
    private let second: UInt64 = 1_000_000_000

    @Test func hoursOfSleepCostOneHandshakeAndNoBurst() async throws {
        let clock = TunnelClock.manual(nowNanos: 5 * second, wallNanos: 1_767_225_600 * second)
        // One time for both: the gateway takes only so many initiations in a second.
        let stage = try Stage(clock: clock)
        let provider = stage.provider
        #expect(await provider.start() == nil)
        #expect(try await stage.roundTrip(1))
        provider.floors.change { $0 = nil }
        await withCheckedContinuation { done in provider.sleep { done.resume() } }
        #expect(provider.floors.now != nil, "the device may not wake")
        let handshakes = try await stage.gateway.statistics().handshakes
        clock.advance(nanos: 8 * 3600 * second)
        provider.wake()
        // The session is too old, and nothing was sent: there is nothing to say.
        #expect(try await eventually { try await provider.status().word == "idle" })
        #expect(try await stage.gateway.statistics().handshakes == handshakes)
        #expect(try await stage.roundTrip(2))
        #expect(try await stage.gateway.statistics().handshakes == handshakes + 1)
        #expect(try await provider.status().word == "up")
        await stage.close()
    }

    @Test func whenMemoryIsScarceWhatWaitsGoes() async throws {
        // Nobody answers, so packets wait.
        let stage = try Stage(listens: false)
        let provider = stage.provider
        #expect(await provider.start() == nil)
        func dropped() async throws -> UInt64 { try await provider.status().drops["staged_overflow"] ?? 0 }
        provider.flow.send((0..<40).map { packet(from: 2, to: 1, length: 1200, mark: $0) })
        #expect(try await dropped() == 0)
        provider.memory.tell(true)
        #expect(try await eventually { try await dropped() >= 32 })
        provider.memory.tell(false)
        await stage.close()
        // Nobody is there any more.
        provider.memory.tell(true)
        provider.wake()
    }

    @Test func manyLivesLeaveNothingOpen() async throws {
        func open() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
        let stage = try Stage()
        #expect(await stage.provider.start() == nil)
        await stage.provider.stop()
        // Dispatch keeps descriptors of its own once it has begun.
        let before = try open()
        for _ in 0..<50 {
            #expect(await stage.provider.start() == nil)
            await stage.provider.stop()
        }
        #expect(try await eventually { try open() <= before })
        await stage.provider.stop()
        await stage.close()
    }
}
