import Glibc
import JSON
import TestKit
import Testing

/// What a program can find out about the worker that runs it.
@Suite struct WorkerSecretTests {
    /// As root, the worker runs without capabilities, as in a container. Its programs have the same user, and none
    /// either.
    @Test func `a program can read neither the environment nor the memory of its worker`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "spy": """
            found=$(grep -l DATABASE_URL /proc/[0-9]*/environ 2>/dev/null | wc -l)
            memory=closed
            if (exec 9</proc/$PPID/mem) 2>/dev/null; then memory=open; fi
            files=$(readlink /proc/$PPID/fd/* 2>/dev/null | wc -l)
            echo "\\"$found $memory $files\\""
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let server = deployment.database.server
            let environment = [
                "WORKER_HANDLERS_FILE": handlers, "WORKER_POLL_INTERVAL_SECONDS": "0.1",
                "DATABASE_URL": server.tcpURL(database: deployment.database.name, port: server.port),
            ]
            let worker = try BuiltProducts.find("jobqueue-worker")
            let process =
                if geteuid() == 0 {
                    try await deployment.start(
                        "setpriv", ["--bounding-set=-all", "--inh-caps=-all", worker], environment)
                } else {
                    try await deployment.start("jobqueue-worker", [], environment)
                }
            try await process.waitForLine(containing: "\"working\"", within: .seconds(30))
            let id = try await api.post(["type": "spy"])
            let job = try await api.wait(for: id, toBe: "succeeded")
            #expect(job["result"] == "0 closed 0")
        }
    }
}
