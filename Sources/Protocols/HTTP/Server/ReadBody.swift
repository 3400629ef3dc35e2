internal import EventLoop
internal import Values

/// Why a body could not be read. The start of the next message on the connection is then unknown.
enum BodyFailure: Error {
    /// To be sent to the client.
    case problem(Problem)
    /// The connection is broken: no response can be sent.
    case stream(StreamError)
}

extension Connection {
    /// Takes the body out of the buffer, if its length is known and it arrived together with its head, as small bodies
    /// do. Nil otherwise.
    mutating func takeBufferedBody(_ head: RequestHead, bytesMax: Int) -> [UInt8]? {
        guard let length = head.contentLength, length <= bytesMax, length <= buffer.count - position else { return nil }
        let body = Array(buffer[position..<position + length])
        position += length
        return body
    }

    /// Reads the whole body of the current request, up to `bytesMax` bytes. Sends 100 (Continue) first if the client
    /// waits for it.
    mutating func readBody(_ head: RequestHead, bytesMax: Int) async throws(BodyFailure) -> [UInt8] {
        if let body = takeBufferedBody(head, bytesMax: bytesMax) { return body }
        if let length = head.contentLength, length > bytesMax { throw .problem(Self.tooLarge(bytesMax)) }
        if head.expectsContinue, position == buffer.count { try await sendContinue() }
        let started = serverLoop.loop.now
        if let length = head.contentLength { return try await readSized(length, since: started) }
        return try await readChunked(bytesMax: bytesMax, since: started)
    }

    static func tooLarge(_ bytesMax: Int) -> Problem {
        Problem(.contentTooLarge, "the body is longer than \(bytesMax) bytes").with("bytes_max", .integer(bytesMax))
    }

    private func sendContinue() async throws(BodyFailure) {
        do throws(StreamError) {
            let deadline = serverLoop.loop.now.after(nanoseconds: server.deadlines.write(0))
            try await stream.write(ResponseWriter.continueBytes, deadline: deadline)
        } catch {
            throw .stream(error)
        }
    }

    /// Reads a body of known length directly into its array. The array grows with the bytes received, not with the
    /// length announced, which is reserved in the budget before the first read: so no body of known length waits while
    /// it holds memory.
    private mutating func readSized(
        _ length: Int, since started: MonotonicInstant
    ) async throws(BodyFailure) -> [UInt8] {
        var body = Array(buffer[position...])
        position = buffer.count
        let started = started + (try await reserveBudget(for: length))
        while body.count < length {
            if body.count == body.capacity { body.reserveCapacity(min(length, max(2 * body.count, 4 * 1024))) }
            let deadline = started.after(nanoseconds: server.deadlines.body(received: body.count))
            let count: Int
            do throws(StreamError) {
                let wanted = min(length, max(body.capacity, server.limits.readBytes)) - body.count
                count = try await stream.read(into: &body, atMost: wanted, deadline: deadline)
            } catch {
                throw Self.failure(error)
            }
            guard count > 0 else { throw .stream(.disconnected) }
        }
        return body
    }

    private mutating func readChunked(
        bytesMax: Int, since started: MonotonicInstant
    ) async throws(BodyFailure) -> [UInt8] {
        var body: [UInt8] = []
        var received = 0
        var started = started
        var decoder = ChunkedDecoder(limits: server.limits.message, bodyBytesMax: bytesMax)
        while true {
            switch decoder.decode(buffer, from: position, into: &body) {
            case .complete(let consumed):
                position += consumed
                return body
            case .needMore(let consumed):
                position += consumed
            case .invalid(let violation):
                throw .problem(violation.status == .contentTooLarge ? Self.tooLarge(bytesMax) : Problem(violation))
            }
            started = started + (try await reserveBudget(for: body.capacity))
            let deadline = started.after(nanoseconds: server.deadlines.body(received: received))
            do throws(StreamError) {
                let count = try await readMore(deadline: deadline)
                guard count > 0 else { throw .disconnected }
                received += count
            } catch {
                throw Self.failure(error)
            }
        }
    }

    /// Extends the reservation to cover a body that occupies `bytes`. Returns the time that this took: the client could
    /// not send meanwhile.
    private mutating func reserveBudget(for bytes: Int) async throws(BodyFailure) -> Duration {
        let missing = bytes - server.limits.bodyBytesUncounted - reservation.bytes
        guard missing > 0 else { return .zero }
        let step = (missing + BodyBudget.stepBytes - 1) / BodyBudget.stepBytes * BodyBudget.stepBytes
        let loop = serverLoop.loop
        let signal = WakeSignal(on: loop)
        let answer = server.budget.extend(&reservation, by: step) { loop.execute { signal.wake() } }
        guard case .waiting(let number) = answer else { return .zero }
        let began = MonotonicInstant.now()
        await signal.wait(until: began + server.limits.bodyTimeout)
        guard server.budget.endWait(number, of: &reservation, for: step) else {
            throw .problem(.unavailable("too many large requests in progress", retryAfterSeconds: 1))
        }
        return .now() - began
    }

    private static func failure(_ error: StreamError) -> BodyFailure {
        if error == .timedOut {
            return .problem(Problem(.requestTimeout, "the request body did not arrive in time"))
        }
        return .stream(error)
    }

    /// Whether the body of a rejected request can be read and dropped to keep the connection: it is short, and the
    /// client will send it.
    func mayDiscardBody(_ head: RequestHead) -> Bool {
        guard head.hasBody else { return true }
        // A client that waits for 100 may or may not send its body after a final response.
        guard !head.expectsContinue else { return false }
        return head.framing.isChunked || (head.contentLength ?? 0) <= server.limits.discardedBodyBytesMax
    }

    /// Reads and drops the body of a rejected request. Returns false if that fails.
    mutating func discardBody(_ head: RequestHead) async -> Bool {
        guard head.hasBody else { return true }
        do throws(BodyFailure) {
            _ = try await readBody(head, bytesMax: server.limits.discardedBodyBytesMax)
            return true
        } catch {
            return false
        }
    }
}
