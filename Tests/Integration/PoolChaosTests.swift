import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// Seeded failures of the members, reapers and connections of a pool, with its workloads as witnesses.
@Suite struct PoolChaosTests {
    private enum Fault: CaseIterable {
        /// SIGKILL, and a new member with the ordinal at once.
        case kill
        /// SIGTERM, and a new member with the ordinal at once, before the old one has left.
        case replace
        /// SIGSTOP, for longer than the lease duration, then SIGCONT.
        case freeze
        /// Terminates every connection to PostgreSQL.
        case disconnect
        /// SIGKILL, and a new reaper.
        case killReaper
        /// Configures other workloads.
        case configure
    }

    private static let lease = "5"

    @Test(arguments: TestSeeds.take(2))
    func `during failures no workload runs twice at once, and in the end all run`(seed: UInt64) async throws {
        try await Swarm.use { swarm in
            var random = SeededGenerator(seed: seed)
            try await swarm.put()
            var members: [ServiceProcess] = []
            for ordinal in 0..<3 { members.append(try await swarm.startMember(ordinal, lease: Self.lease)) }
            var reaper = try await swarm.deployment.startReaper()
            var workloads = Swarm.names
            try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])

            for fault in (0..<2).flatMap({ _ in Fault.allCases }).shuffled(using: &random) {
                let ordinal = Int.random(in: 0..<3, using: &random)
                switch fault {
                case .kill, .replace:
                    members[ordinal].signal(fault == .kill ? SIGKILL : SIGTERM)
                    members[ordinal] = try await swarm.startMember(ordinal, lease: Self.lease)
                case .freeze:
                    let frozen = members[ordinal]
                    frozen.signal(SIGSTOP)
                    TestLoop.shared.spawn {
                        try? await TestLoop.shared.sleep(for: .seconds(8))
                        frozen.signal(SIGCONT)
                    }
                case .disconnect:
                    try await swarm.deployment.sql(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                        """)
                case .killReaper:
                    reaper.signal(SIGKILL)
                    reaper = try await swarm.deployment.startReaper()
                case .configure:
                    workloads = Array((Swarm.names + ["g", "h"]).shuffled(using: &random).prefix(6))
                    try await swarm.put(workloads)
                }
                try await Task.sleep(for: .milliseconds(Int.random(in: 100...1_500, using: &random)))
            }

            // Workloads of a killed member are shown as running until its leases expire, so the processes are checked
            // too.
            try await waitUntil("each member runs two workloads, and nothing else is left", within: .seconds(60)) {
                let shown = try await swarm.assignments().filter { $0["state"] == "running" }
                let tokens = shown.compactMap { $0["lease_token"]?.integer }.sorted()
                let alive = swarm.starts().filter(isAlive).map(\.token).sorted()
                let counts = Dictionary(grouping: shown, by: { $0["holder"]?.integer }).mapValues(\.count)
                return alive == tokens && counts == [0: 2, 1: 2, 2: 2]
                    && shown.compactMap { $0["workload"]?.string } == workloads.sorted()
            }
            // Tokens increase in the order of the process starts.
            for (workload, starts) in Dictionary(grouping: swarm.starts(), by: \.workload) {
                let tokens = starts.map(\.token)
                #expect(tokens == tokens.sorted(), "\(workload)")
            }
        }
    }

    /// Also checks the environment, because the id of an ended process may have been reused.
    private func isAlive(_ start: Swarm.Start) -> Bool {
        ProcessTable.isAlive(start.pid)
            && TextFile.read("/proc/\(start.pid)/environ")?.contains("JOBQUEUE_LEASE_TOKEN=\(start.token)\0") == true
    }
}
