internal import EventLoop
internal import Pools
internal import Values

/// One workload that this member holds, from its lease until the lease is released.
struct HeldWorkload {
    enum Phase {
        /// Its process runs, or waits to be restarted. Next: `stopping` when another member becomes its owner
        /// (`apply(renewal:)`), when its lease is not renewed in time (`due`), and when the member leaves (`leave`).
        case running
        /// Its process was asked to stop. Next: `ended` when the process is gone (`processEnded`).
        case stopping
        /// No process runs: the lease can be released. Next: removed when it is (`remove`).
        case ended
    }

    let lease: WorkloadLease
    var clock: LeaseClock
    /// Time between SIGTERM and SIGKILL.
    let grace: Duration
    var phase = Phase.running
    /// SIGKILL was sent, because the lease is lost or about to end. It is sent once.
    var isKilled = false

    /// The instant of SIGKILL without a renewal: before another member can get the lease.
    var killAt: MonotonicInstant { clock.stopAt }

    /// The instant at which the process guard kills it, if this worker is suspended: between `killAt` and the end of
    /// the lease.
    var guardKillAt: MonotonicInstant { killAt + clock.duration / (2 * LeaseClock.safetyPart) }

    /// The instant of SIGTERM without a renewal: `grace` before `killAt`, but never before the lease had time to be
    /// renewed.
    var terminateAt: MonotonicInstant { killAt - min(grace, clock.duration / LeaseClock.renewalPart) }
}

/// All workloads that this member holds, and the actions that follow from renewals and from the clock. Pure: every
/// instant is an argument.
///
/// A workload moves from `running` through `stopping` to `ended`, and never back: a workload that is assigned to this
/// member again while it stops is released first, and then acquired with a new token.
///
/// PostgreSQL's clock alone decides when a lease expires. The tracker uses this machine's monotonic clock, and counts
/// each lease from before its statement was sent (`LeaseClock`). So the process of a lost lease is gone before another
/// member can start it. On a failure:
/// - No renewal comes through: SIGTERM at `terminateAt`, SIGKILL at `killAt`.
/// - The worker is suspended: the process guard kills the process at `guardKillAt`; after the wake-up `mayStart`
///   rejects every start under an old lease.
/// - A renewal does not confirm a lease: its process is killed at once.
/// - The response to an acquisition is lost: the next renewal lists the lease as held without a process. It is acquired
///   again, or released if the workload belongs to another member.
struct WorkloadTracker {
    /// The actions to perform, by workload name.
    struct Actions: Equatable {
        /// Workloads to acquire: assigned to this member, and free.
        var acquire: [String] = []
        /// Workloads to stop: SIGTERM, and SIGKILL after the grace.
        var stop: [String] = []
        /// Workloads to kill at once: another member may run them soon.
        var kill: [String] = []
        /// Leases to release: held by this member without a process, and assigned to another.
        var release: [WorkloadLease] = []
        /// Time until the first assigned workload of another holder may be free; nil: there is none.
        var nextFree: Duration?
    }

    /// By workload name.
    private(set) var held: [String: HeldWorkload] = [:]
    /// The member leaves: it acquires nothing more.
    private(set) var isLeaving = false

    var isEmpty: Bool { held.isEmpty }

    /// The leases to renew: all whose process has not ended.
    var activeLeases: [WorkloadLease] { held.values.filter { $0.phase != .ended }.map(\.lease) }

    /// The leases to release: their process has ended.
    var endedLeases: [WorkloadLease] { held.values.filter { $0.phase == .ended }.map(\.lease) }

    /// Adds leases that a statement sent at `sentAt` has granted.
    /// - Returns: those under which a process may be started: none while the member leaves.
    mutating func add(
        _ leases: [WorkloadLease], sentAt: MonotonicInstant, duration: Duration, grace: Duration
    ) -> [WorkloadLease] {
        for lease in leases {
            let clock = LeaseClock(duration: duration, grantedAt: sentAt)
            held[lease.name] = HeldWorkload(
                lease: lease, clock: clock, grace: grace, phase: isLeaving ? .ended : .running)
        }
        return isLeaving ? [] : leases
    }

    /// Whether a process may be started under this lease at `now`. A worker that was suspended asks before its clocks
    /// have found that its leases are over.
    func mayStart(_ lease: WorkloadLease, at now: MonotonicInstant) -> Bool {
        guard let workload = held[lease.name], workload.lease == lease else { return false }
        return workload.phase == .running && now < workload.terminateAt
    }

    /// Applies the result of a renewal.
    /// - Parameters:
    ///   - requested: the leases that the statement renewed.
    ///   - sentAt: before the statement was sent.
    mutating func apply(
        renewal: MembershipRenewal, of requested: [WorkloadLease], sentAt: MonotonicInstant
    ) -> Actions {
        var actions = Actions()
        let renewed = Set(renewal.renewed)
        let locked = Set(renewal.locked)
        for lease in requested {
            guard let workload = held[lease.name], workload.lease == lease else { continue }
            if renewed.contains(lease) {
                held[lease.name]?.clock.renewed(at: sentAt)
            } else if !locked.contains(lease), workload.phase != .ended {
                kill(lease.name, &actions)
            }
        }
        var own: Set<String> = []
        for entry in renewal.entries {
            if entry.isOwn, renewal.isMember, !isLeaving { own.insert(entry.name) }
            guard held[entry.name] == nil else { continue }
            if own.contains(entry.name) {
                if let remaining = entry.othersRemaining {
                    actions.nextFree = min(remaining, actions.nextFree ?? remaining)
                } else {
                    actions.acquire.append(entry.name)
                }
            } else if let token = entry.heldToken {
                actions.release.append(WorkloadLease(name: entry.name, token: token))
            }
        }
        for (name, workload) in held where workload.phase == .running && !own.contains(name) {
            held[name]?.phase = .stopping
            actions.stop.append(name)
        }
        actions.stop.sort()
        return actions
    }

    private mutating func kill(_ name: String, _ actions: inout Actions) {
        held[name]?.phase = .stopping
        guard held[name]?.isKilled == false else { return }
        held[name]?.isKilled = true
        actions.kill.append(name)
    }

    /// The actions that the clock demands at `now`: only `stop` and `kill`.
    mutating func due(at now: MonotonicInstant) -> Actions {
        var actions = Actions()
        for (name, workload) in held where workload.phase != .ended {
            if workload.killAt <= now {
                kill(name, &actions)
            } else if workload.terminateAt <= now, workload.phase == .running {
                held[name]?.phase = .stopping
                actions.stop.append(name)
            }
        }
        return actions
    }

    /// The process is gone, and is not restarted.
    mutating func processEnded(_ lease: WorkloadLease) {
        if held[lease.name]?.lease == lease { held[lease.name]?.phase = .ended }
    }

    /// Removes leases that are released or lost.
    mutating func remove(_ leases: [WorkloadLease]) {
        for lease in leases where held[lease.name]?.lease == lease { held[lease.name] = nil }
    }

    /// The member leaves: nothing more is acquired, and every process stops.
    /// - Returns: the names of all workloads with a process, also of those that are already stopping, because the grace
    ///   of the shutdown may be shorter than theirs.
    mutating func leave() -> [String] {
        isLeaving = true
        let names = held.filter { $0.value.phase != .ended }.map(\.key)
        for name in names { held[name]?.phase = .stopping }
        return names.sorted()
    }
}
