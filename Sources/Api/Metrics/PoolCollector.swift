internal import Pools
internal import Postgres
internal import Telemetry

/// Metrics of pools: one series for each pool and state.
enum PoolCollector {
    static let members = MetricDeclaration(
        .gauge, "pool_members", help: "Ordinals of a pool by state of their member.",
        labels: ["pool", "state"])
    static let workloads = MetricDeclaration(
        .gauge, "pool_workloads", help: "Workloads of a pool by state.", labels: ["pool", "state"])
    static let version = MetricDeclaration(
        .gauge, "pool_version", help: "Version of the assignment; grows by one with each change.", labels: ["pool"])

    static let declarations = [members, workloads, version]

    static func read(_ store: PoolStore) async throws(PostgresError) -> [MetricFamily] {
        var families = [MetricFamily(members), MetricFamily(workloads), MetricFamily(version)]
        let pools = try await store.all()
        let counts = pools.isEmpty ? [] : try await store.workloadCounts()
        for pool in pools {
            let name = pool.spec.name
            for state in Pool.MemberState.allCases {
                let count =
                    state == .missing
                    ? pool.missing.count : pool.members.count { pool.state(of: $0) == state }
                families[0].add(Double(count), name, state.rawValue)
            }
            for state in Workload.State.allCases {
                let count = counts.first { $0.pool == name && $0.state == state }?.count ?? 0
                families[1].add(Double(count), name, state.rawValue)
            }
            families[2].add(Double(pool.version), name)
        }
        return families
    }
}
