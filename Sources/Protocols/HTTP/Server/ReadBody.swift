internal import EventLoop
internal import Values

/// Why a body could not be read. Nothing after it on the connection can be read either.
enum BodyFailure: Error {
    /// To be told to the client.
    case problem(Problem)
    /// Nobody is left to be told.
    case stream(StreamError)
}

extension Connection {
    /// The body of the request whose head was read last, if its length was said and it came with the head, as small
    /// ones do.
    mutating func takeBody(_ head: RequestHead, bytesMax: Int) -> [UInt8]? {
        guard let length = head.contentLength, length <= bytesMax, length <= buffer.count - position else { return nil }
        let body = Array(buffer[position..<position + length])
        position += length
        return body
    }

    /// The whole body of the request whose head was read last, of at most `bytesMax`, asking for it if the client
    /// waits to be asked.
    mutating func readBody(_ head: RequestHead, bytesMax: Int) async throws(BodyFailure) -> [UInt8] {
        if let body = takeBody(head, bytesMax: bytesMax) { return body }
        if let length = head.contentLength, length > bytesMax { throw .problem(Self.tooLarge(bytesMax)) }
        if head.expectsContinue, position == buffer.count { try await askForBody() }
        let started = serverLoop.loop.now
        if let length = head.contentLength { return try await readSized(length, since: started) }
        return try await readChunked(bytesMax: bytesMax, since: started)
    }

    static func tooLarge(_ bytesMax: Int) -> Problem {
        Problem(.contentTooLarge, "the body is longer than \(bytesMax) bytes").with("bytes_max", .integer(bytesMax))
    }

    private func askForBody() async throws(BodyFailure) {
        do throws(StreamError) {
            let deadline = serverLoop.loop.now.after(nanoseconds: server.deadlines.write(0))
            try await stream.write(ResponseWriter.continueBytes, deadline: deadline)
        } catch {
            throw .stream(error)
        }
    }

    /// A body of known length is read straight into its array, which grows with what has come, not with what was
    /// promised.
    private mutating func readSized(
        _ length: Int, since started: MonotonicInstant
    ) async throws(BodyFailure) -> [UInt8] {
        var body = Array(buffer[position...])
        position = buffer.count
        while body.count < length {
            if body.count == body.capacity { body.reserveCapacity(min(length, max(2 * body.count, 4 * 1024))) }
            try takeBudget(for: body.capacity)
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
            try takeBudget(for: body.capacity)
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

    /// Makes sure that the budget covers a body that holds `bytes` now.
    private mutating func takeBudget(for bytes: Int) throws(BodyFailure) {
        let missing = bytes - server.limits.bodyBytesUncounted - bytesTaken
        guard missing > 0 else { return }
        let step = (missing + BodyBudget.stepBytes - 1) / BodyBudget.stepBytes * BodyBudget.stepBytes
        guard server.budget.take(step) else {
            throw .problem(.unavailable("too many large requests at a time", retryAfterSeconds: 1))
        }
        bytesTaken += step
    }

    /// Gives back what `readBody` took. Call it when the body is gone.
    mutating func returnBudget() {
        guard bytesTaken > 0 else { return }
        server.budget.release(bytesTaken)
        bytesTaken = 0
    }

    private static func failure(_ error: StreamError) -> BodyFailure {
        if error == .timedOut {
            return .problem(Problem(.requestTimeout, "the body of the request did not come in time"))
        }
        return .stream(error)
    }

    /// Whether the body of a refused request is small and sure to come, so that reading it keeps the connection.
    func mayDiscardBody(_ head: RequestHead) -> Bool {
        guard head.hasBody else { return true }
        // Whether a client that waits for 100 sends its body after another answer is its own choice.
        guard !head.expectsContinue else { return false }
        return head.framing.isChunked || (head.contentLength ?? 0) <= server.limits.discardedBodyBytesMax
    }

    /// Reads and drops the body of a request that was refused before it was read. False when that failed.
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
