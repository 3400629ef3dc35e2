internal import EventLoop
internal import Pools
internal import Values

/// One workload that this member holds, from its lease until that is given back.
struct HeldWorkload {
    enum Phase {
        /// Its process runs, or waits to be started again. Next: `stopping` when it is another's, when its lease could not
        /// be renewed in time, and when the member leaves.
        case running
        /// It was asked to stop. Next: `ended` when the process is gone.
        case stopping
        /// Nothing runs any more: the lease is to be given back. Next: gone.
        case ended
    }

    let lease: WorkloadLease
    var clock: LeaseClock
    /// Between SIGTERM and SIGKILL.
    let grace: Duration
    var phase = Phase.running
    /// The lease is not this member's any more, or soon will not be: force was used.
    var isKilled = false

    /// When it is killed for want of a renewal: before anybody else can have the lease.
    var killAt: MonotonicInstant { clock.stopAt }

    /// When the guard kills it, should this worker be frozen.
    var guardAt: MonotonicInstant { killAt + clock.duration / (2 * LeaseClock.safetyPart) }

    /// When it is asked to stop for want of a renewal: early enough for its grace, if that leaves time to renew.
    var askAt: MonotonicInstant { killAt - min(grace, clock.duration / LeaseClock.renewalPart) }
}

/// All workloads that this member holds, and what follows from what it sees. Pure: every instant comes from outside.
struct WorkloadTracker {
    /// What is to be done after a look at the pool.
    struct Steps: Equatable {
        /// To be taken: assigned to this member, and free.
        var acquire: [String] = []
        /// Asked to stop; SIGKILL follows after the grace.
        var stop: [String] = []
        /// Killed at once: somebody else may run them.
        var kill: [String] = []
        /// Leases of this member under which nothing runs: their answers were lost.
        var strays: [WorkloadLease] = []
        /// When the first workload that others hold may be free.
        var nextFree: Duration?
    }

    private(set) var held: [String: HeldWorkload] = [:]
    /// It takes no more.
    private(set) var isLeaving = false

    var isEmpty: Bool { held.isEmpty }

    /// Leases of what has not ended.
    var leases: [WorkloadLease] { held.values.filter { $0.phase != .ended }.map(\.lease) }

    /// Leases to be given back.
    var ended: [WorkloadLease] { held.values.filter { $0.phase == .ended }.map(\.lease) }

    /// Leases were given by a statement that was sent at `sentAt`. Returns those under which something may be started.
    mutating func granted(
        _ leases: [WorkloadLease], sentAt: MonotonicInstant, duration: Duration, grace: Duration
    ) -> [WorkloadLease] {
        for lease in leases {
            let clock = LeaseClock(duration: duration, grantedAt: sentAt)
            held[lease.name] = HeldWorkload(
                lease: lease, clock: clock, grace: grace, phase: isLeaving ? .ended : .running)
        }
        return isLeaving ? [] : leases
    }

    /// Whether a process may be started under this lease now. A worker that was frozen asks this before its clocks have
    /// told it that its leases are over.
    func mayStart(_ lease: WorkloadLease, at now: MonotonicInstant) -> Bool {
        guard let workload = held[lease.name], workload.lease == lease else { return false }
        return workload.phase == .running && now < workload.askAt
    }

    /// The answer to a renewal of `asked`, sent at `sentAt`.
    mutating func see(_ view: PoolView, asked: [WorkloadLease], sentAt: MonotonicInstant) -> Steps {
        var steps = Steps()
        let renewed = Set(view.renewed)
        for lease in asked {
            guard let workload = held[lease.name], workload.lease == lease else { continue }
            if renewed.contains(lease) {
                held[lease.name]?.clock.renewed(at: sentAt)
            } else if workload.phase != .ended {
                kill(lease.name, &steps)
            }
        }
        var own: Set<String> = []
        for entry in view.entries {
            if entry.isOwn, view.isMember, !isLeaving { own.insert(entry.name) }
            guard held[entry.name] == nil else { continue }
            if own.contains(entry.name) {
                if let remaining = entry.othersRemaining {
                    steps.nextFree = min(remaining, steps.nextFree ?? remaining)
                } else {
                    steps.acquire.append(entry.name)
                }
            } else if let token = entry.heldToken {
                steps.strays.append(WorkloadLease(name: entry.name, token: token))
            }
        }
        for (name, workload) in held where workload.phase == .running && !own.contains(name) {
            held[name]?.phase = .stopping
            steps.stop.append(name)
        }
        steps.stop.sort()
        return steps
    }

    private mutating func kill(_ name: String, _ steps: inout Steps) {
        held[name]?.phase = .stopping
        guard held[name]?.isKilled == false else { return }
        held[name]?.isKilled = true
        steps.kill.append(name)
    }

    /// What the clocks ask for now.
    mutating func due(at now: MonotonicInstant) -> Steps {
        var steps = Steps()
        for (name, workload) in held where workload.phase != .ended {
            if workload.killAt <= now {
                kill(name, &steps)
            } else if workload.askAt <= now, workload.phase == .running {
                held[name]?.phase = .stopping
                steps.stop.append(name)
            }
        }
        return steps
    }

    /// The process is gone, and is not started again.
    mutating func ended(_ lease: WorkloadLease) {
        if held[lease.name]?.lease == lease { held[lease.name]?.phase = .ended }
    }

    /// The leases were given back, or were lost.
    mutating func released(_ leases: [WorkloadLease]) {
        for lease in leases where held[lease.name]?.lease == lease { held[lease.name] = nil }
    }

    /// The member leaves: everything stops, also what was asked to before and has longer, and nothing more is taken.
    mutating func leave() -> [String] {
        isLeaving = true
        let names = held.filter { $0.value.phase != .ended }.map(\.key)
        for name in names { held[name]?.phase = .stopping }
        return names.sorted()
    }
}
