internal import EventLoop
internal import Values

/// Reads one response, and the interim responses before it.
struct ResponseReader {
    private let stream: any ByteStream
    private let limits: ClientLimits
    let deadline: MonotonicInstant
    private var buffer: [UInt8] = []
    private var position = 0

    /// Whether the server has sent any byte. It has then received the request, which must not be repeated.
    private(set) var hasReceivedBytes = false
    /// Whether another exchange may follow on the connection. Valid after `read`.
    private(set) var mayReuse = false

    init(_ stream: any ByteStream, limits: ClientLimits, deadline: MonotonicInstant) {
        self.stream = stream
        self.limits = limits
        self.deadline = deadline
    }

    mutating func read(answering method: Method) async throws(ClientError) -> ClientResponse {
        var interim = 0
        var head = try await readHead()
        while head.status.code < 200 {
            interim += 1
            guard head.status.code != 101, interim <= limits.interimResponsesMax else {
                throw .invalidResponse("unexpected interim responses")
            }
            head = try await readHead()
        }
        let end = head.bodyEnd(answering: method)
        let body: [UInt8]
        switch end {
        case .none: body = []
        case .length(let length): body = try await readSized(length)
        case .chunked: body = try await readChunked()
        case .close: body = try await readToEnd()
        }
        // Extra bytes after the response, or a length where no body is allowed, belong to no request of ours.
        mayReuse =
            end != .close && head.framing.keepsAlive(head.version) && position == buffer.count
            && (end != .none || method == .head || head.status == .notModified
                || !(head.framing.isChunked || (head.framing.contentLength ?? 0) > 0))
        return ClientResponse(status: head.status, fields: head.fields, body: body)
    }

    private mutating func readHead() async throws(ClientError) -> ResponseHead {
        var parser = ResponseParser(limits: limits.message)
        while true {
            switch parser.parse(buffer, from: position) {
            case .complete(let head, let consumed):
                position += consumed
                return head
            case .invalid(let violation):
                throw .invalidResponse(violation.detail)
            case .needMore:
                guard try await readMore(limits.readBytes) > 0 else {
                    throw .disconnected("closed by the server")
                }
                hasReceivedBytes = true
            }
        }
    }

    private mutating func readSized(_ length: Int) async throws(ClientError) -> [UInt8] {
        guard length <= limits.bodyBytesMax else { throw .bodyTooLarge(bytesMax: limits.bodyBytesMax) }
        while buffer.count - position < length {
            let missing = length - (buffer.count - position)
            guard try await readMore(max(missing, 1)) > 0 else { throw .disconnected("closed by the server") }
        }
        let body = Array(buffer[position..<position + length])
        position += length
        return body
    }

    private mutating func readChunked() async throws(ClientError) -> [UInt8] {
        var body: [UInt8] = []
        var decoder = ChunkedDecoder(limits: limits.message, bodyBytesMax: limits.bodyBytesMax)
        while true {
            switch decoder.decode(buffer, from: position, into: &body) {
            case .complete(let consumed):
                position += consumed
                return body
            case .needMore(let consumed):
                position += consumed
                guard try await readMore(limits.readBytes) > 0 else { throw .disconnected("closed by the server") }
            case .invalid(let violation):
                if violation.status == .contentTooLarge { throw .bodyTooLarge(bytesMax: limits.bodyBytesMax) }
                throw .invalidResponse(violation.detail)
            }
        }
    }

    private mutating func readToEnd() async throws(ClientError) -> [UInt8] {
        repeat {
            guard buffer.count - position <= limits.bodyBytesMax else {
                throw .bodyTooLarge(bytesMax: limits.bodyBytesMax)
            }
        } while try await readMore(limits.readBytes) > 0
        defer { position = buffer.count }
        return Array(buffer[position...])
    }

    private mutating func readMore(_ bytes: Int) async throws(ClientError) -> Int {
        if position > 0 {
            buffer.removeSubrange(..<position)
            position = 0
        }
        do throws(StreamError) {
            return try await stream.read(into: &buffer, atMost: bytes, deadline: deadline)
        } catch {
            throw ClientError(error)
        }
    }
}

extension ClientError {
    init(_ error: StreamError) {
        self = error == .timedOut ? .timedOut : .disconnected("\(error)")
    }
}
