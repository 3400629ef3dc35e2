import EventLoop
import JSON
import TestKit
import Testing

/// A pool named `swarm` of worker processes. Its workloads are witnesses: each holds a lock while it runs, records its
/// start and its end, and records a violation if another one runs at the same time.
struct Swarm: Sendable {
    let deployment: Deployment
    let api: RunningApi
    let scratch: ScratchDirectory
    let handlers: String

    /// Runs until SIGTERM, then executes `onStop` and ends.
    static func script(onStop: String = "") -> String {
        """
        exec 9>>"$HERE/lock.$JOBQUEUE_WORKLOAD"
        flock --nonblock 9 || echo "$JOBQUEUE_WORKLOAD" >>"$HERE/twice"
        trap '\(onStop)
              echo "$JOBQUEUE_WORKLOAD $JOBQUEUE_ORDINAL" >>"$HERE/stops"; exit 0' TERM
        echo "$JOBQUEUE_WORKLOAD $JOBQUEUE_ORDINAL $JOBQUEUE_LEASE_TOKEN $$" >>"$HERE/starts"
        while :; do sleep 0.02; done
        """
    }

    /// Runs `body` with an api and a reaper, and without members.
    static func use(
        _ scripts: [String: String] = ["stream": script()], killGraceSeconds: Int = 1,
        _ body: (Swarm) async throws -> Void
    ) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(scripts, killGraceSeconds: killGraceSeconds)
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let swarm = Swarm(deployment: deployment, api: api, scratch: scratch, handlers: handlers)
            try await body(swarm)
            #expect(scratch.text("twice") == nil, "a workload ran twice at once")
        }
    }

    static let names = ["a:1", "b", "c", "d", "e", "f"]

    // MARK: The pool

    @discardableResult
    func put(
        _ workloads: [String] = names, size: JSONValue = 3, handler: String = "stream"
    ) async throws -> JSONValue {
        let body: JSONValue = [
            "size": size, "workloads": .array(workloads.map { .string($0) }), "handler": .string(handler),
            "updated_by": "ada",
        ]
        let response = try await api.client.request("PUT", "/api/pools/swarm", body: body.text)
        try #require(response.status == 200, "\(response.text)")
        return try response.json
    }

    func get(_ what: String = "") async throws -> JSONValue {
        try JSONValue(parsing: try await api.client.get("/api/pools/swarm\(what)").body)
    }

    func assignments() async throws -> [JSONValue] {
        try await get("/assignments")["assignments"]?.array ?? []
    }

    func assignment(_ workload: String) async throws -> JSONValue? {
        try await assignments().first { $0["workload"]?.string == workload }
    }

    /// The running workloads by ordinal, from the reports of the holders and the records of the workloads.
    func running() async throws -> [Int: [String]] {
        var running: [Int: [String]] = [:]
        for entry in try await assignments() where entry["state"] == "running" {
            guard let holder = entry["holder"]?.integer, let name = entry["workload"]?.string,
                starts(of: name).contains(where: { $0.token == entry["lease_token"]?.integer })
            else { continue }
            running[holder, default: []].append(name)
        }
        return running
    }

    /// Waits until the members run these numbers of workloads.
    func waitUntilRunning(_ counts: [Int: Int], within duration: Duration = .seconds(60)) async throws {
        try await waitUntil("the members run \(counts)", within: duration) {
            try await running().mapValues(\.count) == counts
        }
    }

    // MARK: Members

    func startMember(
        _ ordinal: Int, lease seconds: String = "30", _ environment: [String: String] = [:]
    ) async throws -> ServiceProcess {
        let own = [
            "POOL_NAME": "swarm", "POOL_ORDINAL": "\(ordinal)", "POOL_LEASE_DURATION_SECONDS": seconds,
            "WORKER_HANDLERS_FILE": handlers,
        ]
        return try await deployment.startWorker("member \(ordinal)", own.merging(environment) { $1 })
    }

    /// Starts three members, each with two of six workloads.
    func startThree(lease seconds: String = "30") async throws -> [ServiceProcess] {
        try await put()
        var members: [ServiceProcess] = []
        for ordinal in 0..<3 { members.append(try await startMember(ordinal, lease: seconds)) }
        try await waitUntilRunning([0: 2, 1: 2, 2: 2])
        return members
    }

    // MARK: Witnesses

    struct Start: Hashable {
        let workload: String
        let ordinal: Int
        let token: Int
        let pid: Int32
    }

    /// In the order of their occurrence.
    func starts(of workload: String? = nil) -> [Start] {
        (scratch.text("starts") ?? "").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 4, let ordinal = Int(words[1]), let token = Int(words[2]), let pid = Int32(words[3]),
                words[0] == workload ?? String(words[0])
            else { return nil }
            return Start(workload: String(words[0]), ordinal: ordinal, token: token, pid: pid)
        }
    }

    func stops() -> [String] { (scratch.text("stops") ?? "").split(separator: "\n").map(String.init) }
}
