import Synchronization
import Telemetry
import Testing
import Values

@testable import Jobs

@Suite struct JobIdentifiersTests {
    @Test func `ids only grow, on any thread`() async {
        let identifiers = JobIdentifiers(clock: ServerClock())
        let all = await withTaskGroup(of: [UUID].self) { tasks in
            for _ in 0..<4 {
                tasks.addTask { (0..<5_000).map { _ in identifiers.next() } }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        for made in all { #expect(zip(made, made.dropFirst()).allSatisfy { $0 < $1 }) }
        #expect(Set(all.joined()).count == 20_000)
    }

    @Test func `ids have PostgreSQL's time, and grow also when it goes back a little`() {
        let clock = ServerClock()
        let identifiers = JobIdentifiers(clock: clock)
        let first = identifiers.next()
        #expect(abs(time(first) - WallInstant.now().microseconds / 1_000) < 60_000)

        let day: Int64 = 86_400_000_000
        clock.learn(serverTime: WallInstant.now() + .seconds(86_400), sentAt: .now())
        let tomorrow = identifiers.next()
        #expect(abs(time(tomorrow) - (WallInstant.now().microseconds + day) / 1_000) < 60_000)
        #expect(tomorrow > first)

        clock.learn(serverTime: WallInstant.now() + .seconds(86_395), sentAt: .now())
        #expect(identifiers.next() > tomorrow)
    }

    @Test func `an answer corrects the clock only as far as it proves it wrong`() {
        let clock = ServerClock()
        func ahead() -> Double { ((clock.now() - .now()) / .seconds(1)).rounded() }
        func learn(_ serverSeconds: Int64, sent: Int64) {
            let now = WallInstant.now()
            clock.learn(serverTime: now + .seconds(serverSeconds), sentAt: now - .seconds(sent))
        }
        learn(0, sent: 100)
        #expect(ahead() == 0)
        learn(200, sent: 100)
        #expect(ahead() == 200)
        learn(150, sent: 100)
        #expect(ahead() == 200)
        learn(150, sent: 1)
        #expect(ahead() == 151)
        learn(-3_600, sent: 0)
        #expect(ahead() == -3_600)
    }

    /// The milliseconds since 1970 in an identifier of version 7.
    private func time(_ id: UUID) -> Int64 { Int64(id.high >> 16) }
}
