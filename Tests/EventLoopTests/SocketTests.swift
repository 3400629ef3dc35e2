import EventLoop
import Synchronization
import Testing
import Values

/// A pair of connected sockets over loopback, both on `loop`.
private func pair(on loop: Loop) async throws -> (client: Socket, server: Socket) {
    let listener = try Listener(address: .loopback(port: 0))
    async let accepted = listener.accept(on: loop).attach(to: loop)
    let client = try await Socket.connect(to: listener.address, on: loop, deadline: nil)
    let server = try await accepted
    listener.close { _ in }
    return (client, server)
}

private func readAll(_ stream: any ByteStream) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while try await stream.read(into: &bytes, atMost: 65_536, deadline: nil) > 0 {}
    return bytes
}

@Suite struct SocketTests {
    @Test func `ten mebibytes pass in both directions at once`() async throws {
        try await onLoop { loop in
            let (client, server) = try await pair(on: loop)
            let sent = (0..<10 * 1024 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            async let first: Void = client.write(sent, deadline: nil)
            async let second: Void = server.write(sent, deadline: nil)
            async let atServer: Bool = {
                var bytes: [UInt8] = []
                while bytes.count < sent.count {
                    _ = try await server.read(into: &bytes, atMost: 65_536, deadline: nil)
                }
                return bytes == sent
            }()
            var atClient: [UInt8] = []
            while atClient.count < sent.count {
                _ = try await client.read(into: &atClient, atMost: 1 << 20, deadline: nil)
            }
            try await first
            try await second
            #expect(atClient == sent)
            #expect(try await atServer)
        }
    }

    @Test func `the end of the stream follows the last bytes, also when both arrive together`() async throws {
        try await onLoop { loop in
            for size in [0, 1, 100, 65_536] {
                let (client, server) = try await pair(on: loop)
                try await client.write([UInt8](repeating: 7, count: size), deadline: nil)
                client.closeWriting()
                #expect(try await readAll(server).count == size)
                server.close()
                client.close()
            }
        }
    }

    @Test func `a read times out at its deadline, and the stream stays usable`() async throws {
        try await onLoop { loop in
            let (client, server) = try await pair(on: loop)
            var bytes: [UInt8] = []
            for _ in 0..<2 {
                do throws(StreamError) {
                    _ = try await server.read(into: &bytes, atMost: 10, deadline: .now() + .milliseconds(5))
                    Issue.record("nothing was sent")
                } catch {
                    #expect(error == .timedOut)
                }
            }
            try await client.write([1, 2, 3], deadline: nil)
            #expect(try await server.read(into: &bytes, atMost: 10, deadline: .now() + .seconds(60)) == 3)
        }
    }

    @Test func `a write that the peer does not read times out`() async throws {
        try await onLoop { loop in
            let (client, server) = try await pair(on: loop)
            await #expect(throws: StreamError.timedOut) {
                try await client.write([UInt8](repeating: 0, count: 64 << 20), deadline: .now() + .milliseconds(20))
            }
            server.close()
        }
    }

    @Test func `closing a stream ends a waiting read`() async throws {
        try await onLoop { loop in
            let (client, server) = try await pair(on: loop)
            let reader = Task(executorPreference: loop) { try await readAll(server) }
            await Task.yield()
            server.close()
            server.close()
            await #expect(throws: StreamError.closed) { try await reader.value }
            await #expect(throws: StreamError.closed) { try await server.write([1], deadline: nil) }
            client.close()
        }
    }

    @Test func `a write to a disconnected peer throws disconnected`() async throws {
        try await onLoop { loop in
            let (client, server) = try await pair(on: loop)
            server.close()
            await #expect(throws: StreamError.disconnected) {
                while true { try await client.write([UInt8](repeating: 0, count: 65_536), deadline: nil) }
            }
        }
    }

    @Test func `a refused connection names the address`() async throws {
        try await onLoop { loop in
            let listener = try Listener(address: .loopback(port: 0))
            let address = listener.address
            listener.close { _ in }
            do throws(StreamError) {
                _ = try await Socket.connect(to: address, on: loop, deadline: nil)
                Issue.record("connected")
            } catch {
                #expect("\(error)" == "connect to \(address): Connection refused")
            }
        }
    }

    @Test func `two listeners cannot bind one port`() throws {
        let first = try Listener(address: .loopback(port: 0))
        do throws(SystemError) {
            _ = try Listener(address: first.address)
            Issue.record("the port was bound twice")
        } catch {
            #expect("\(error)" == "listen on \(first.address): Address already in use")
        }
    }

    @Test func `closing a listener accepts the connections in its backlog`() async throws {
        try await onLoop { loop in
            let listener = try Listener(address: .loopback(port: 0))
            let client = try await Socket.connect(to: listener.address, on: loop, deadline: nil)
            let held = Mutex<Socket?>(nil)
            listener.close { connection in
                let socket = try? connection.attach(to: loop)
                held.withLock { $0 = socket }
            }
            let server = try #require(held.withLock { $0 })
            try await server.write([42], deadline: nil)
            var bytes: [UInt8] = []
            #expect(try await client.read(into: &bytes, atMost: 1, deadline: .now() + .seconds(60)) == 1)
            await #expect(throws: StreamError.closed) { _ = try await listener.accept(on: loop).remoteAddress }
        }
    }

    @Test func `closing a listener ends a waiting accept`() async throws {
        try await onLoop { loop in
            let listener = try Listener(address: .loopback(port: 0))
            let accepting = Task(executorPreference: loop) { _ = try await listener.accept(on: loop).remoteAddress }
            await Task.yield()
            listener.close { _ in }
            await #expect(throws: StreamError.closed) { try await accepting.value }
        }
    }

    @Test func `addresses have their usual text form`() async throws {
        #expect("\(SocketAddress.loopback(port: 80))" == "127.0.0.1:80")
        #expect("\(SocketAddress.ipv6(high: 0, low: 1, scope: 0, port: 8000))" == "[::1]:8000")
        #expect(try await SocketAddress.resolve(host: "127.0.0.1", port: 5) == [.loopback(port: 5)])
        await #expect(throws: SocketAddress.ResolutionError.self) {
            try await SocketAddress.resolve(host: "no-such-host.invalid", port: 1)
        }
    }
}
