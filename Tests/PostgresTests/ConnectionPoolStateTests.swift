import EventLoop
import Testing
import Values

@testable import Postgres

/// Drives a pool's state and collects its actions.
private final class Driver {
    var state: ConnectionPoolState
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    init(max: Int, min: Int = 0, depth: Int = 4, waiters: Int = 10) {
        var limits = ConnectionPoolState.Limits(connectionsMax: max)
        limits.connectionsMin = min
        limits.pipelineDepthMax = depth
        limits.waitersMax = waiters
        state = ConnectionPoolState(limits: limits)
    }

    /// All actions that are due now.
    func actions() -> [ConnectionPoolState.Action] {
        var actions: [ConnectionPoolState.Action] = []
        while let action = state.nextAction(at: now) {
            actions.append(action)
            if case .wake = action { break }
        }
        return actions
    }

    func wait(_ use: ConnectionPoolState.Use, seconds: Int = 5) -> Int? {
        state.wait(use, until: now + .seconds(seconds))
    }

    func take(_ use: ConnectionPoolState.Use) -> Int? {
        state.take(use, at: now)
    }

    func release(_ id: Int, _ use: ConnectionPoolState.Use) {
        state.release(id, use, at: now)
    }

    func stopWaiting(_ waiter: Int) -> Bool {
        state.stopWaiting(waiter)
    }

    func expired(afterSeconds seconds: Int) -> [Int] {
        state.expiredWaiters(at: now + .seconds(seconds))
    }

    func connected(_ id: Int, ageSeconds: Int = 3_600) {
        state.connected(id, at: now, retireAt: now + .seconds(ageSeconds))
    }

    /// Opens connections until there are `count`, and returns their ids.
    func open(_ count: Int) throws -> [Int] {
        var ids: [Int] = []
        for _ in 0..<count {
            let waiter = try #require(wait(.exclusive))
            guard case .connect(let id)? = actions().first else { return ids }
            connected(id)
            #expect(actions() == [.serve(waiter: waiter, connection: id)])
            ids.append(id)
        }
        for id in ids { state.release(id, .exclusive, at: now) }
        return ids
    }
}

@Suite struct ConnectionPoolStateTests {
    @Test func `no connection is opened before it is needed`() throws {
        let driver = Driver(max: 2, min: 1)
        #expect(driver.actions() == [])
        #expect(driver.take(.shared) == nil)
        let waiter = try #require(driver.wait(.shared))
        guard case .connect(let id)? = driver.actions().first else {
            Issue.record("no attempt to connect")
            return
        }
        driver.connected(id)
        #expect(driver.actions() == [.serve(waiter: waiter, connection: id)])
    }

    @Test func `a shared statement goes to the connection with the fewest in flight`() throws {
        let driver = Driver(max: 2)
        let ids = try driver.open(2)
        let taken = (0..<4).map { _ in driver.take(.shared) }
        #expect(taken == [ids[0], ids[1], ids[0], ids[1]])
        driver.release(ids[1], .shared)
        #expect(driver.take(.shared) == ids[1])
    }

    @Test func `callers wait for a full pipeline, and each release serves one`() throws {
        let driver = Driver(max: 1, depth: 2)
        let id = try driver.open(1)[0]
        #expect(driver.take(.shared) == id)
        #expect(driver.take(.shared) == id)
        #expect(driver.take(.shared) == nil)
        let first = try #require(driver.wait(.shared))
        let second = try #require(driver.wait(.shared))
        #expect(driver.actions() == [])
        driver.release(id, .shared)
        #expect(driver.actions() == [.serve(waiter: first, connection: id)])
        driver.release(id, .shared)
        #expect(driver.actions() == [.serve(waiter: second, connection: id)])
    }

    @Test func `a statement on a busy connection opens another one, up to the maximum`() throws {
        let driver = Driver(max: 2)
        let id = try driver.open(1)[0]
        #expect(driver.take(.shared) == id)
        #expect(driver.actions() == [])
        #expect(driver.take(.shared) == id)
        #expect(driver.state.hasPendingActions)
        guard case .connect(let second)? = driver.actions().first else {
            Issue.record("no second connection")
            return
        }
        driver.connected(second)
        #expect(driver.take(.shared) == second)
        #expect(driver.take(.shared) == second)
        #expect(driver.actions() == [])
    }

    @Test func `a caller for exclusive use gets a reserved connection when it is idle, under any load`() throws {
        let driver = Driver(max: 1)
        let id = try driver.open(1)[0]
        #expect(driver.take(.shared) == id)
        let owner = try #require(driver.wait(.exclusive))
        #expect(driver.actions() == [])
        // The connection is reserved: further shared callers wait.
        #expect(driver.take(.shared) == nil)
        let late = try #require(driver.wait(.shared))
        #expect(driver.actions() == [])
        driver.release(id, .shared)
        #expect(driver.actions() == [.serve(waiter: owner, connection: id)])
        driver.release(id, .exclusive)
        #expect(driver.actions() == [.serve(waiter: late, connection: id)])
    }

    @Test func `a reservation ends with the wait of its caller`() throws {
        let driver = Driver(max: 1)
        let id = try driver.open(1)[0]
        #expect(driver.take(.shared) == id)
        let owner = try #require(driver.wait(.exclusive))
        #expect(driver.actions() == [])
        #expect(driver.take(.shared) == nil)
        #expect(driver.stopWaiting(owner))
        #expect(driver.actions() == [])
        #expect(driver.take(.shared) == id)
    }

    @Test func `waiting callers are limited in number and time`() throws {
        let driver = Driver(max: 1, waiters: 2)
        let early = try #require(driver.wait(.shared, seconds: 1))
        let late = try #require(driver.wait(.exclusive, seconds: 2))
        #expect(driver.wait(.shared) == nil)
        #expect(driver.state.earliestDeadline == driver.now + .seconds(1))
        #expect(driver.expired(afterSeconds: 0) == [])
        #expect(driver.expired(afterSeconds: 1) == [early])
        #expect(driver.expired(afterSeconds: 2) == [late])
        #expect(driver.stopWaiting(late) == false)
    }

    @Test func `while connecting fails there is one attempt at a time, with growing pauses`() throws {
        let driver = Driver(max: 3)
        for _ in 0..<3 { _ = try #require(driver.wait(.shared, seconds: 3_600)) }
        let attempts = driver.actions()
        #expect(attempts.count == 3)
        for case .connect(let id) in attempts { driver.state.connectFailed(id, at: driver.now, random: 1) }
        var pauses: [Duration] = []
        for _ in 0..<8 {
            guard case .wake(let instant)? = driver.actions().last else {
                Issue.record("no pause")
                return
            }
            pauses.append(instant - driver.now)
            driver.now = instant
            let actions = driver.actions()
            guard case .connect(let id)? = actions.first, actions.count == 1 else {
                Issue.record("not one attempt: \(actions)")
                return
            }
            driver.state.connectFailed(id, at: driver.now, random: 1)
        }
        #expect(pauses == [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000].map { .milliseconds($0) })
    }

    @Test func `a successful connection ends the pauses`() throws {
        let driver = Driver(max: 2)
        for _ in 0..<2 { _ = try #require(driver.wait(.exclusive)) }
        let attempts = driver.actions()
        guard case .connect(let first)? = attempts.first, case .connect(let second)? = attempts.last else {
            Issue.record("\(attempts)")
            return
        }
        driver.state.connectFailed(first, at: driver.now, random: 0)
        driver.connected(second)
        let actions = driver.actions()
        #expect(actions.count == 2)
        guard case .serve? = actions.first, case .connect? = actions.last else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test func `a lost connection is replaced at once, unless it was short-lived`() throws {
        for (life, isReplacedAtOnce) in [(Duration.seconds(2), true), (.milliseconds(10), false)] {
            let driver = Driver(max: 1, min: 1)
            let id = try driver.open(1)[0]
            driver.now = driver.now + life
            driver.state.lost(id, at: driver.now, random: 1)
            // The use of a lost connection may end after its loss.
            driver.release(id, .shared)
            _ = driver.take(.shared)
            guard case .connect? = driver.actions().first else {
                #expect(!isReplacedAtOnce)
                continue
            }
            #expect(isReplacedAtOnce)
        }
    }

    @Test func `retired connections are closed when idle, and replaced`() throws {
        let driver = Driver(max: 2, min: 1)
        let ids = try driver.open(2)
        #expect(driver.take(.exclusive) == ids[0])
        driver.state.retireAll()
        #expect(driver.actions() == [.close(ids[1])])
        #expect(driver.take(.shared) == nil)
        let waiter = try #require(driver.wait(.shared))
        guard case .connect(let fresh)? = driver.actions().first else {
            Issue.record("no replacement")
            return
        }
        driver.connected(fresh)
        #expect(driver.actions() == [.serve(waiter: waiter, connection: fresh)])
        driver.release(ids[0], .exclusive)
        #expect(driver.actions() == [.close(ids[0])])
    }

    @Test func `an old connection takes no new statements and is closed when idle`() throws {
        let driver = Driver(max: 1)
        let id = try driver.open(1)[0]
        #expect(driver.take(.shared) == id)
        driver.now = driver.now + .seconds(3_600)
        #expect(driver.take(.shared) == nil)
        _ = try #require(driver.wait(.shared))
        #expect(driver.actions() == [])
        driver.release(id, .shared)
        let actions = driver.actions()
        #expect(actions.first == .close(id))
        guard case .connect? = actions.last else {
            Issue.record("\(actions)")
            return
        }
    }
}
