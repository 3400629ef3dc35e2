internal import Pauses
internal import Postgres
internal import Telemetry
internal import Workers

/// Metrics of the pause state and its acknowledgements.
enum PauseCollector {
    static let version = MetricDeclaration(
        .gauge, "control_version", help: "Version of the latest change of the pause state, over all scopes.")
    static let paused = MetricDeclaration(
        .gauge, "control_paused", help: "1 while the scope is paused. Scopes that were never changed have no series.",
        labels: ["scope"])
    static let behind = MetricDeclaration(
        .gauge, "control_workers_behind",
        help: "Live workers that have not acknowledged the latest change of the pause state.")

    static let declarations = [version, paused, behind]

    static func read(_ pauses: PauseStore, _ workers: [LiveWorker]) async throws(PostgresError) -> [MetricFamily] {
        let states = try await pauses.metricScopes()
        let latest = states.map(\.version).max() ?? 0
        var versions = MetricFamily(version)
        versions.add(Double(latest))
        var scopes = MetricFamily(paused)
        for state in states { scopes.add(state.isPaused ? 1 : 0, state.scope) }
        if !states.contains(where: { $0.scope == PauseScope.all.text }) { scopes.add(0, PauseScope.all.text) }
        var lagging = MetricFamily(behind)
        lagging.add(Double(workers.count { $0.pauseVersion < latest }))
        return [versions, scopes, lagging]
    }
}
