import EventLoop
import Testing
import Values

@testable import HTTP

struct DrainTests {
    private static let get = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func `a drain under load resets no connection and answers every request`() async throws {
        let answered = Count()
        let server = try TestServer(ServerTests.routes)
        let enough = Gate()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 1...32 {
                group.addTask {
                    try await server.connected { connection in
                        var count = 0
                        while true {
                            try await connection.send(Self.get)
                            let response = try await connection.response()
                            #expect(response.status == 200)
                            count += 1
                            if answered.add() == 2_000 { enough.open() }
                            if response.field("Connection") == "close" { break }
                        }
                        #expect(try await connection.nextResponse() == nil)
                        return count
                    }
                }
            }
            await enough.wait()
            let report = await server.server.drain(deadline: .soon)
            #expect(report.cut == 0)
            #expect(server.server.connectionCount == 0)
            var total = 0
            for try await count in group { total += count }
            #expect(total == answered.count)
        }
        let late = try? await server.exchange(Self.get)
        #expect(late == nil)
    }

    @Test func `a drain becomes unready first, answers requests in flight and closes idle connections`() async throws {
        var limits = ServerLimits()
        limits.drainIdleTimeout = .milliseconds(50)
        let entered = Gate()
        let leave = Gate()
        let server = try TestServer(limits: limits) { router in
            ServerTests.routes(&router)
            router.on(.get, "/slow", access: .open) { _, _ in
                entered.open()
                await leave.wait()
                return .text("done")
            }
        }
        #expect(server.server.isReady)
        async let slow = server.exchange(Self.get.replacing("/hello", with: "/slow"))
        await entered.wait()
        try await server.connected { idle in
            try await idle.send(Self.get)
            _ = try await idle.response()
            async let report = server.server.drain(deadline: .soon)
            try await eventually { !server.server.isReady }
            // The idle connection is closed in order while the other still waits for its response.
            #expect(try await idle.nextResponse() == nil)
            idle.socket.close()
            leave.open()
            #expect(await report == Server.DrainReport(cut: 0))
        }
        let answers = try await slow
        #expect(answers.map(\.text) == ["done"])
        #expect(answers.first?.field("Connection") == "close")
    }

    @Test func `requests that arrive at the start of a drain are answered`() async throws {
        var limits = ServerLimits()
        limits.drainIdleTimeout = .seconds(5)
        let server = try TestServer(limits: limits, ServerTests.routes)
        try await server.connected { connection in
            try await connection.send(Self.get)
            _ = try await connection.response()
            async let report = server.server.drain(deadline: .soon)
            try await eventually { server.server.isDraining }
            try await connection.send(Self.get)
            let last = try await connection.responsesToEnd()
            #expect(last.map(\.status) == [200])
            #expect(last.first?.field("Connection") == "close")
            #expect(await report.cut == 0)
        }
    }

    @Test func `the drain deadline closes the remaining connections`() async throws {
        let entered = Gate()
        let leave = Gate()
        let server = try TestServer { router in
            router.on(.get, "/slow", access: .open) { _, _ in
                entered.open()
                await leave.wait()
                return .text("done")
            }
        }
        async let slow = server.exchange(Self.get.replacing("/hello", with: "/slow"))
        await entered.wait()
        let report = await server.server.drain(deadline: .now() + .milliseconds(100))
        #expect(report.cut == 1)
        #expect((try? await slow)?.isEmpty != false)
        leave.open()
    }
}
