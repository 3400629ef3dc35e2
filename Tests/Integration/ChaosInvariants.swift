import TestKit

/// The invariants of `docs/invariants.md`, checked when a run has come to rest: each is a query for violations.
enum ChaosInvariants {
    private struct Rule {
        let name: String
        /// One line of text for each violation.
        let query: String
    }

    /// All violations found, with a maximum for each rule.
    static func violations(in deployment: Deployment, _ promises: ChaosPromises) async throws -> [String] {
        var found: [String] = []
        if promises.acknowledged.count != ChaosJob.count {
            found.append("\(promises.acknowledged.count) ids were acknowledged for \(ChaosJob.count) jobs")
        }
        for rule in rules {
            let query = "SELECT v::text FROM (\(rule.query)) AS violation (v) LIMIT 5"
            found += try await deployment.texts(query).map { "\(rule.name): \($0)" }
        }
        return found
    }

    private static let rules = lost + outcomes + fences + attempts + counts

    private static let lost = [
        Rule(
            name: "I1, an acknowledged job is lost",
            query: "SELECT job FROM witness.acknowledged EXCEPT SELECT id FROM jobs"),
        Rule(
            name: "I1, a job has not succeeded",
            query: "SELECT id || ' is ' || status FROM jobs WHERE status <> 'succeeded'"),
        Rule(
            name: "I1, a job exists that no client can have created",
            query: """
                SELECT 'number ' || number || ' ' || extra.times || ' times beside the acknowledged one'
                FROM (SELECT j.tags[1]::int AS number, count(*) AS times FROM job j
                      WHERE NOT EXISTS (SELECT FROM witness.acknowledged a WHERE a.job = j.id)
                      GROUP BY 1) extra
                LEFT JOIN witness.doubt d USING (number)
                WHERE extra.times > COALESCE(d.times, 0)
                """),
        Rule(
            name: "I1, an acknowledged job is another than was posted",
            query: """
                SELECT j.id FROM job j JOIN witness.acknowledged a ON a.job = j.id
                WHERE j.tags IS DISTINCT FROM ARRAY[a.number::text]
                """),
        Rule(
            name: "I6, a job is stuck",
            query: """
                SELECT id || ' is leased' FROM lease
                UNION ALL SELECT id || ' is scheduled' FROM scheduled UNION ALL SELECT id || ' is ready' FROM ready
                """),
    ]

    private static let outcomes = [
        Rule(
            name: "I2, a job has not exactly one outcome",
            query: """
                SELECT j.id || ' has ' || count(o.job)
                FROM job j LEFT JOIN witness.outcome_change o ON o.job = j.id
                GROUP BY j.id HAVING count(o.job) <> 1
                """),
        Rule(
            name: "I2, an outcome was changed",
            query: "SELECT job || ' ' || change FROM witness.outcome_change WHERE change <> 'INSERT'"),
        Rule(
            name: "I2, a success that no program had",
            query: """
                SELECT o.id FROM outcome o
                JOIN job j ON j.id = o.id
                JOIN witness.planned p ON p.number = j.tags[1]::int AND p.is_program
                WHERE NOT EXISTS (SELECT FROM witness.effect e
                                  WHERE e.job = o.id AND e.kind = 'done' AND e.token = o.token
                                    AND e.attempt = o.attempt)
                """),
    ]

    private static let fences = [
        Rule(
            name: "I3, an outcome does not bear the last token",
            query: """
                SELECT o.id || ' ' || o.token FROM outcome o
                WHERE o.token IS DISTINCT FROM (SELECT max(token) FROM witness.lease_change WHERE job = o.id)
                """),
        Rule(
            name: "I3, a result was written under another token",
            query: """
                SELECT o.id || ': ' || o.result FROM outcome o
                JOIN job j ON j.id = o.id
                JOIN witness.planned p ON p.number = j.tags[1]::int AND p.is_program
                WHERE o.result::text IS DISTINCT FROM o.token::text
                """),
        Rule(
            name: "I3, a program ran without a lease",
            query: """
                SELECT e.job || ' ' || e.token FROM witness.effect e
                WHERE NOT EXISTS (SELECT FROM witness.lease_change l
                                  WHERE l.job = e.job AND l.token = e.token AND l.attempt = e.attempt)
                """),
        Rule(
            name: "I3, a lease was used for two programs",
            query: """
                SELECT job || ' ' || token FROM witness.effect WHERE kind = 'began'
                GROUP BY job, token HAVING count(*) > 1
                """),
        Rule(
            name: "I3, a token did not grow",
            query: """
                SELECT job || ': ' || token || ' after ' || before
                FROM (SELECT job, token, lag(token) OVER (PARTITION BY job ORDER BY n) AS before
                      FROM witness.lease_change WHERE change = 'INSERT') l
                WHERE token <= before
                """),
        Rule(
            name: "I4, leases of a job overlap, or changed",
            query: """
                SELECT job || ': ' || COALESCE(before, 'nothing') || ', then ' || change
                FROM (SELECT job, change, lag(change) OVER (PARTITION BY job ORDER BY n) AS before
                      FROM witness.lease_change) l
                WHERE (change, COALESCE(before, 'DELETE')) NOT IN (('INSERT', 'DELETE'), ('DELETE', 'INSERT'))
                """),
    ]

    private static let attempts = [
        Rule(
            name: "I5, more attempts than allowed",
            query: """
                SELECT l.job || ' ' || l.attempt FROM witness.lease_change l JOIN job j ON j.id = l.job
                WHERE l.attempt > j.max_attempts
                """),
        Rule(
            name: "I5, a job that fails first has succeeded at once",
            query: """
                SELECT o.id FROM outcome o JOIN job j ON j.id = o.id
                JOIN witness.planned p ON p.number = j.tags[1]::int AND p.fails
                WHERE o.attempt < 2
                """),
    ]

    private static let counts = [
        Rule(
            name: "I8, a depth is not the number of jobs",
            query: """
                SELECT subqueue_id || ' ' || status || ': counted ' || COALESCE(c.n, 0)
                       || ', there are ' || COALESCE(p.n, 0)
                FROM (SELECT subqueue_id, status, n FROM depth WHERE n <> 0) c
                FULL JOIN (SELECT j.subqueue_id, s.status, count(*) AS n
                           FROM jobs s JOIN job j USING (id) GROUP BY 1, 2) p
                    USING (subqueue_id, status)
                WHERE c.n IS DISTINCT FROM p.n
                """),
        Rule(
            name: "I8, the leases that were counted are not those that were given",
            query: """
                SELECT counted || ' counted, ' || given || ' given'
                FROM (SELECT sum(n) AS counted FROM transition_count WHERE transition = 'leased') c,
                     (SELECT count(*) AS given FROM witness.lease_change WHERE change = 'INSERT') g
                WHERE counted IS DISTINCT FROM given
                """),
    ]

    /// I8, on the metrics page.
    static func violations(onPage page: MetricValues, in deployment: Deployment) async throws -> [String] {
        let jobCount = Double(try await deployment.database.count("job"))
        let leases = Double(
            try await deployment.database.integer("SELECT count(*) FROM witness.lease_change WHERE change = 'INSERT'"))
        let expected = [
            ("job_created_total", "", jobCount), ("job_completed_total", "", jobCount), ("job_failed_total", "", 0),
            ("job_queue_depth", "\"succeeded\"", jobCount), ("job_queue_depth", "", jobCount),
            ("worker_lease_acquired_total", "", leases), ("job_attempts_total", "", leases),
        ]
        return expected.compactMap { name, label, value in
            let shown = page.sum(name, label)
            guard shown != value else { return nil }
            return "I8, the page says \(name)\(label) is \(shown.map { "\($0)" } ?? "missing"), not \(value)"
        }
    }

    /// I9: no session holds a lock or a transaction for so long that two checks see it.
    static func disturbances(in deployment: Deployment) async throws -> [String] {
        try await deployment.texts(
            """
            SELECT 'I9, idle in transaction: ' || application_name || ': ' || query FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'
            UNION ALL
            SELECT 'I9, an advisory lock of ' || pid FROM pg_locks
            WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            UNION ALL
            SELECT 'I9, ' || pid || ' waits for a lock' FROM pg_locks WHERE NOT granted
            """)
    }
}
