import Postgres

/// The second witness, outside of the code under test: tables that triggers fill with each lease and each outcome, and
/// the file in which the programs of the jobs record their actions.
struct ChaosWitness {
    let deployment: Deployment
    let effectsFile: String

    /// Creates the tables and triggers. `n` is the order of the changes of one job, which its row locks serialize.
    func watch() async throws {
        for statement in Self.schema { try await deployment.sql(statement) }
    }

    private static let schema = [
        "CREATE SCHEMA witness",
        """
        CREATE TABLE witness.lease_change (
            n bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), change text NOT NULL,
            job uuid NOT NULL, token bigint NOT NULL, attempt int NOT NULL, worker bigint NOT NULL)
        """,
        """
        CREATE TABLE witness.outcome_change (
            n bigserial PRIMARY KEY, change text NOT NULL, job uuid NOT NULL, token bigint, attempt int NOT NULL)
        """,
        """
        CREATE FUNCTION witness.watch_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE
            row record := COALESCE(NEW, OLD);
        BEGIN
            INSERT INTO witness.lease_change (change, job, token, attempt, worker)
            VALUES (TG_OP, row.id, row.token, row.attempt, row.worker_id);
            RETURN NULL;
        END $$
        """,
        """
        CREATE FUNCTION witness.watch_outcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE
            row record := COALESCE(NEW, OLD);
        BEGIN
            INSERT INTO witness.outcome_change (change, job, token, attempt)
            VALUES (TG_OP, row.id, row.token, row.attempt);
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER witness AFTER INSERT OR DELETE ON lease
        FOR EACH ROW EXECUTE FUNCTION witness.watch_lease()
        """,
        """
        CREATE TRIGGER witness_update AFTER UPDATE ON lease
        FOR EACH ROW WHEN ((OLD.id, OLD.token, OLD.attempt) IS DISTINCT FROM (NEW.id, NEW.token, NEW.attempt))
        EXECUTE FUNCTION witness.watch_lease()
        """,
        """
        CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON outcome
        FOR EACH ROW EXECUTE FUNCTION witness.watch_outcome()
        """,
        "CREATE TABLE witness.acknowledged (job uuid PRIMARY KEY, number int NOT NULL)",
        "CREATE TABLE witness.doubt (number int PRIMARY KEY, times int NOT NULL)",
        "CREATE TABLE witness.planned (number int PRIMARY KEY, fails bool NOT NULL, is_program bool NOT NULL)",
        """
        CREATE TABLE witness.effect (
            n bigserial PRIMARY KEY, kind text NOT NULL, job uuid NOT NULL, attempt int NOT NULL, token bigint NOT NULL)
        """,
    ]

    /// Combines the records of the clients, the plan and the programs.
    func collect(_ promises: ChaosPromises, _ jobs: [ChaosJob]) async throws {
        try await insert("acknowledged (job, number)", "$1::text[]::uuid[], $2::int[]") { parameters in
            let acknowledged = promises.acknowledged.sorted { $0.key < $1.key }
            parameters.append(acknowledged.map(\.key))
            parameters.append(acknowledged.map { Int32($0.value) })
        }
        try await insert("doubt (number, times)", "$1::int[], $2::int[]") { parameters in
            let doubts = promises.doubts.sorted { $0.key < $1.key }
            parameters.append(doubts.map { Int32($0.key) })
            parameters.append(doubts.map { Int32($0.value) })
        }
        try await insert("planned (number, fails, is_program)", "$1::int[], $2::bool[], $3::bool[]") { parameters in
            parameters.append(jobs.map { Int32($0.number) })
            parameters.append(jobs.map(\.fails))
            parameters.append(jobs.map(\.isProgram))
        }
        let effects = (TextFile.read(effectsFile) ?? "").split(separator: "\n").map { $0.split(separator: " ") }
        try await insert(
            "effect (kind, job, attempt, token)",
            "$1::text[], $2::text[]::uuid[], $3::text[]::int[], $4::text[]::bigint[]"
        ) { parameters in
            for column in 0..<4 { parameters.append(effects.map { $0.count == 4 ? String($0[column]) : "torn line" }) }
        }
    }

    private func insert(_ target: String, _ columns: String, _ fill: (inout Parameters) -> Void) async throws {
        var parameters = Parameters()
        fill(&parameters)
        try await deployment.sql("INSERT INTO witness.\(target) SELECT * FROM unnest(\(columns))", parameters)
    }
}
