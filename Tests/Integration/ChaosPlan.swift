import TestKit

/// A process of a run.
struct ChaosRole: Hashable, CustomStringConvertible {
    enum Kind: Hashable {
        case api, worker, reaper
    }

    let kind: Kind
    let number: Int

    static let all =
        [ChaosRole(kind: .api, number: 1)] + (1...3).map { ChaosRole(kind: .worker, number: $0) }
        + (1...2).map { ChaosRole(kind: .reaper, number: $0) }

    var description: String { "\(kind) \(number)" }
}

/// The faults of a run with their instants, determined by the seed alone.
struct ChaosPlan {
    enum Action: Hashable {
        /// SIGKILL.
        case kill(ChaosRole)
        /// Starts the process if it does not run.
        case start(ChaosRole)
        /// SIGSTOP, for longer than the lease duration, then SIGCONT.
        case freeze(ChaosRole)
        case thaw(ChaosRole)
        /// `pg_terminate_backend` on every session.
        case endSessions
        /// Moves the end of leases into the past, like a jump of PostgreSQL's clock. For the workers they are valid.
        case expireLeases
        /// `pg_ctl stop -m immediate`.
        case stopDatabase
        case startDatabase
    }

    struct Event: Hashable {
        /// Time since the first job was posted.
        let at: Duration
        let action: Action
    }

    /// Lease duration of the workers.
    static let lease = Duration.seconds(2)
    /// Faults begin within this time, and jobs are posted throughout.
    static let window = Duration.seconds(6)

    private(set) var events: [Event] = []

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var faults = Fault.allCases
        for _ in 0..<6 { faults.append(Fault.repeatable.randomElement(using: &random) ?? .killWorker) }
        for fault in faults { add(fault, &random) }
        events.sort { $0.at < $1.at }
    }

    private enum Fault: CaseIterable {
        case killWorker, killApi, killReaper, freezeWorker, endSessions, expireLeases, crashDatabase

        static let repeatable: [Fault] = [
            .killWorker, .killWorker, .killApi, .killReaper, .freezeWorker, .endSessions, .expireLeases,
        ]
    }

    private mutating func add(_ fault: Fault, _ random: inout SeededGenerator) {
        let at = Duration.milliseconds(Int.random(in: 300...Int(Self.window / .milliseconds(1)), using: &random))
        let soon = at + .milliseconds(Int.random(in: 0...500, using: &random))
        switch fault {
        case .killWorker: outage(of: .worker, at, Action.kill, until: soon, Action.start, &random)
        case .killApi: outage(of: .api, at, Action.kill, until: soon, Action.start, &random)
        case .killReaper: outage(of: .reaper, at, Action.kill, until: soon, Action.start, &random)
        case .freezeWorker:
            let late = at + Self.lease + .milliseconds(Int.random(in: 500...2_500, using: &random))
            outage(of: .worker, at, Action.freeze, until: late, Action.thaw, &random)
        case .endSessions: events.append(Event(at: at, action: .endSessions))
        case .expireLeases: events.append(Event(at: at, action: .expireLeases))
        case .crashDatabase:
            events.append(Event(at: at, action: .stopDatabase))
            events.append(Event(at: soon, action: .startDatabase))
        }
    }

    private mutating func outage(
        of kind: ChaosRole.Kind, _ at: Duration, _ begin: (ChaosRole) -> Action, until: Duration,
        _ end: (ChaosRole) -> Action, _ random: inout SeededGenerator
    ) {
        let candidates = ChaosRole.all.filter { $0.kind == kind }
        let role = candidates[Int.random(in: 0..<candidates.count, using: &random)]
        events.append(Event(at: at, action: begin(role)))
        events.append(Event(at: until, action: end(role)))
    }
}
