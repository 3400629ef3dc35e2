internal import EventLoop
internal import Telemetry
internal import Values

/// One connection of a server, from its acceptance to its end. Used by its own task only.
struct Connection {
    let server: Server
    let serverLoop: ServerLoop
    let stream: any ByteStream
    let remoteAddress: SocketAddress
    let record: ConnectionRecord

    /// What has been read and not yet used starts at `position`.
    var buffer: [UInt8] = []
    var position = 0
    /// Answers are put together here.
    var out: [UInt8] = []
    /// Taken from the server's budget for the body at hand.
    var bytesTaken = 0
    private var parser: RequestParser
    /// Stands before the number of a request in its id.
    private let name = RequestID.newConnectionName()
    private var requestCount = 0

    /// A buffer that has grown beyond this is not kept for the next request.
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

    /// Answers requests until one side has enough.
    mutating func run() async {
        do throws(StreamError) {
            while let head = try await nextHead() {
                guard try await answer(head, makeID(head.fields)) else { break }
            }
            try await linger()
        } catch {
            // The peer is gone, or as good as gone: nobody is left to be told.
            server.logger.debug("a connection broke", ["peer": .text(remoteAddress), "error": .error(error)])
        }
        stream.close()
    }

    /// Answers nothing but this, without reading a request.
    mutating func end(with problem: Problem) async {
        do throws(StreamError) {
            try await refuse(problem)
            try await linger()
        } catch {
            server.logger.debug("a connection broke", ["peer": .text(remoteAddress), "error": .error(error)])
        }
        stream.close()
    }

    // MARK: Reading

    /// The next head; nil when there is none: the peer has ended, or waits too long, or was refused and told so.
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
                    try await refuse(Problem(.requestTimeout, "the head of the request did not come in time"))
                    return nil
                }
            }
        }
    }

    /// Waits for the first byte of a request. False when none came, or none may be answered any more.
    private mutating func waitForRequest() async throws(StreamError) -> Bool {
        forgetUsedBytes()
        record.beginWaiting()
        var wait = requestCount == 0 ? server.deadlines.head : server.deadlines.idle
        // Of a connection that began to wait only after a drain had dismissed those that waited.
        if server.isDraining { wait = min(wait, server.deadlines.drainIdle) }
        do throws(StreamError) {
            guard try await readMore(deadline: serverLoop.loop.now.after(nanoseconds: wait)) > 0 else { return false }
        } catch .timedOut {
            return false
        }
        return record.beginWorking()
    }

    /// Reads what there is, at most `readBytes`, behind what the buffer holds. Returns how much; 0 is the end.
    mutating func readMore(deadline: MonotonicInstant) async throws(StreamError) -> Int {
        forgetUsedBytes()
        return try await stream.read(into: &buffer, atMost: server.limits.readBytes, deadline: deadline)
    }

    private mutating func forgetUsedBytes() {
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
        return RequestID(fields, connection: name, serial: requestCount)
    }

    // MARK: Writing

    /// Answers what could not be read as a request; the connection ends with it.
    private mutating func refuse(_ problem: Problem) async throws(StreamError) {
        let started = serverLoop.loop.now
        let response = render(problem)
        let framing = ResponseWriter.Framing(id: makeID(nil), version: .http11, omitsBody: false, keepsAlive: false)
        try await write(response, framing)
        note(response.status, nil, framing.id, route: nil, since: started)
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

    /// Counts and logs an answer.
    func note(_ status: Status, _ head: RequestHead?, _ id: RequestID, route: Int?, since started: MonotonicInstant) {
        let nanoseconds = MonotonicInstant.now().nanoseconds - started.nanoseconds
        server.metrics.count(route: route, method: head?.method, status: status, seconds: Double(nanoseconds) / 1e9)
        server.logger.debug(
            "answered",
            [
                "request_id": .text(id), "method": .string(head?.method.description ?? "invalid"),
                "path": .string(head?.path ?? ""), "status": .integer(status.code),
                "duration_ms": .milliseconds(.nanoseconds(nanoseconds)), "peer": .text(remoteAddress),
            ])
    }

    /// Ends the connection in the order that RFC 9112 section 9.6 asks for: no more is sent, and what the peer still
    /// sends is read for a while. Closing at once would make the kernel answer it with a reset, which could overtake
    /// our last answer.
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
