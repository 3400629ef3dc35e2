internal import EventLoop
internal import Telemetry
internal import Values

/// One connection of a server, from its acceptance to its end. It reads a head, answers the request and repeats; each
/// read and write has a deadline. Used by one task only.
struct Connection {
    let server: Server
    let serverLoop: ServerLoop
    let stream: any ByteStream
    let remoteAddress: SocketAddress
    let record: ConnectionRecord

    /// Received bytes. Those before `position` have been consumed.
    var buffer: [UInt8] = []
    var position = 0
    /// Buffer in which responses are assembled.
    var out: [UInt8] = []
    /// Memory reserved in the server's budget for the body of the current request.
    var reservation = BodyBudget.Reservation()
    private var parser: RequestParser
    /// Prefix of the ids of this connection's requests.
    private let idPrefix = RequestID.newConnectionPrefix()
    private var requestCount = 0

    /// Maximum capacity of a buffer that is reused for the next request.
    private static let keptBufferBytesMax = 16 * 1024

    init(
        _ stream: any ByteStream, of server: Server, on serverLoop: ServerLoop, record: ConnectionRecord,
        remoteAddress: SocketAddress
    ) {
        self.server = server
        self.serverLoop = serverLoop
        self.stream = stream
        self.record = record
        self.remoteAddress = remoteAddress
        parser = RequestParser(limits: server.limits.message)
    }

    /// Answers requests until the client or the server ends the connection.
    mutating func run() async {
        do throws(StreamError) {
            while let head = try await nextHead() {
                guard try await answer(head, makeID(head.fields)) else { break }
            }
            try await linger()
        } catch {
            // The peer has disconnected or does not read: no response can be delivered.
            server.logger.debug("connection failed", ["peer": .text(remoteAddress), "error": .error(error)])
        }
        stream.close()
    }

    /// Sends a problem without reading a request, and closes the connection.
    mutating func reject(with problem: Problem) async {
        do throws(StreamError) {
            try await refuse(problem)
            try await linger()
        } catch {
            server.logger.debug("connection failed", ["peer": .text(remoteAddress), "error": .error(error)])
        }
        stream.close()
    }

    // MARK: Reading

    /// The next request head. Nil when the connection ends: the peer closed it, stayed idle for too long, or sent an
    /// invalid head, which has been answered.
    private mutating func nextHead() async throws(StreamError) -> RequestHead? {
        if position == buffer.count {
            guard try await waitForRequest() else { return nil }
        }
        let deadline = serverLoop.loop.now.after(nanoseconds: server.deadlines.head)
        while true {
            switch parser.parse(buffer, from: position) {
            case .complete(let head, let consumed):
                position += consumed
                return head
            case .invalid(let violation):
                try await refuse(Problem(violation))
                return nil
            case .needMore:
                do throws(StreamError) {
                    guard try await readMore(deadline: deadline) > 0 else { return nil }
                } catch .timedOut {
                    try await refuse(Problem(.requestTimeout, "the request head did not arrive in time"))
                    return nil
                }
            }
        }
    }

    /// Waits for the first byte of a request. Returns false when none arrived in time, or a drain has begun to close
    /// the connection.
    private mutating func waitForRequest() async throws(StreamError) -> Bool {
        dropConsumedBytes()
        record.becomeIdle()
        var timeout = requestCount == 0 ? server.deadlines.head : server.deadlines.idle
        // A connection that becomes idle during a drain may have missed the round that closes idle connections.
        if server.isDraining { timeout = min(timeout, server.deadlines.drainIdle) }
        do throws(StreamError) {
            let deadline = serverLoop.loop.now.after(nanoseconds: timeout)
            guard try await readMore(deadline: deadline) > 0 else { return false }
        } catch .timedOut {
            return false
        }
        return record.becomeActive()
    }

    /// Appends up to `readBytes` received bytes to the buffer. Returns their number; 0 at the end of the stream.
    mutating func readMore(deadline: MonotonicInstant) async throws(StreamError) -> Int {
        dropConsumedBytes()
        return try await stream.read(into: &buffer, atMost: server.limits.readBytes, deadline: deadline)
    }

    private mutating func dropConsumedBytes() {
        guard position > 0 else { return }
        if position < buffer.count {
            buffer.removeSubrange(..<position)
        } else if buffer.capacity <= Self.keptBufferBytesMax {
            buffer.removeAll(keepingCapacity: true)
        } else {
            buffer = []
        }
        position = 0
    }

    private mutating func makeID(_ fields: MessageFields?) -> RequestID {
        requestCount += 1
        return RequestID(fields, connection: idPrefix, serial: requestCount)
    }

    // MARK: Writing

    /// Sends the last response of the connection, to input that is not a request.
    private mutating func refuse(_ problem: Problem) async throws(StreamError) {
        let started = serverLoop.loop.now
        let response = render(problem)
        let framing = ResponseWriter.Framing(id: makeID(nil), version: .http11, omitsBody: false, keepsAlive: false)
        try await write(response, framing)
        report(response.status, nil, framing.id, route: nil, since: started)
    }

    mutating func write(
        _ response: borrowing Response, _ framing: ResponseWriter.Framing
    ) async throws(StreamError) {
        out.removeAll(keepingCapacity: out.capacity <= Self.keptBufferBytesMax)
        let bodyRemains = ResponseWriter.append(response, framing, date: serverLoop.dateLine(), to: &out)
        let bytes = out.count + (bodyRemains ? response.body.count : 0)
        let deadline = serverLoop.loop.now.after(nanoseconds: server.deadlines.write(bytes))
        try await stream.write(out, deadline: deadline)
        if bodyRemains { try await stream.write(response.body, deadline: deadline) }
    }

    /// Counts and logs a response.
    func report(_ status: Status, _ head: RequestHead?, _ id: RequestID, route: Int?, since started: MonotonicInstant) {
        let nanoseconds = MonotonicInstant.now().nanoseconds - started.nanoseconds
        server.metrics.count(route: route, method: head?.method, status: status, seconds: Double(nanoseconds) / 1e9)
        server.logger.debug(
            "request answered",
            [
                "request_id": .text(id), "method": .string(head?.method.description ?? "invalid"),
                "path": .string(head?.path ?? ""), "status": .integer(status.code),
                "duration_ms": .milliseconds(.nanoseconds(nanoseconds)), "peer": .text(remoteAddress),
            ])
    }

    /// Ends the connection as RFC 9112 section 9.6 requires: closes the sending side, then reads and drops input for a
    /// while. If the socket were closed at once, the kernel would answer further input with a reset, and the client
    /// could lose the last response.
    private mutating func linger() async throws(StreamError) {
        buffer = []
        position = 0
        stream.closeWriting()
        var bytesLeft = server.limits.lingerBytesMax
        let deadline = MonotonicInstant.now().after(nanoseconds: server.deadlines.linger)
        while bytesLeft > 0 {
            let count = try await stream.read(into: &buffer, atMost: BodyBudget.stepBytes, deadline: deadline)
            if count == 0 { return }
            bytesLeft -= count
            buffer.removeAll(keepingCapacity: true)
        }
    }
}
