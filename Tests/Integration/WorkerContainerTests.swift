import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// A worker as the first process of its container, here of its own PID namespace.
@Suite struct WorkerContainerTests {
    /// Whether this user may create a PID namespace.
    private static func mayUnshare() async -> Bool {
        let status = try? await withServices { services in
            try await services.start("unshare", ["--pid", "--fork", "true"]).waitForExit()
        }
        return status == .code(0)
    }

    @Test(.enabled("PID namespaces can be made here") { await mayUnshare() })
    func `orphans are reaped, signals are delivered, and the container exits with the worker`() async throws {
        let scratch = try ScratchDirectory()
        // The attempt ends after the orphan has left the process group, which is killed then.
        let handlers = try scratch.writeHandlers([
            "leave": """
            own="$HERE/$JOBQUEUE_JOB_ID"
            setsid sh -c ': > "$0.begun"; sleep 0.1; echo $$ > "$0"' "$own" >&- 2>&- 3>&- &
            while [ ! -e "$own.begun" ]; do sleep 0.01; done
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let container = try await deployment.services.start(
                "unshare", ["--pid", "--fork", "--kill-child", try BuiltProducts.find("jobqueue-worker")],
                environment: ["DATABASE_URL": deployment.database.url, "WORKER_HANDLERS_FILE": handlers])
            try await container.waitForLine(containing: "\"working\"", within: .seconds(30))
            let first = try #require(ProcessTable.children(of: container.pid).first)

            var ids: [String] = []
            for _ in 0..<5 { ids.append(try await api.post(["type": "leave"])) }
            for id in ids { _ = try await waitFor("the orphan of \(id) has ended") { scratch.numbers(id) } }
            try await waitUntil("all orphans are reaped") {
                ProcessTable.children(of: first).allSatisfy(ProcessTable.isAlive)
            }
            for id in ids { try await api.wait(for: id, toBe: "succeeded") }

            kill(first, SIGTERM)
            try await container.waitForLine(containing: "\"stopped\"", within: .seconds(20))
            #expect(try await container.waitForExit() == .code(0))
        }
    }
}
