public import JSON

/// A response as received.
public struct HTTPTestResponse: Sendable {
    public var status: Int
    public var reason: String
    /// In the order of arrival, with the names as received.
    public var headers: [(name: String, value: String)]
    /// The body, without the framing of chunks.
    public var body: [UInt8]

    /// The value of the single header with that name, case-insensitive; nil if there is none or more than one.
    public subscript(name: String) -> String? {
        let values = headers.filter { $0.name.lowercased() == name.lowercased() }
        return values.count == 1 ? values[0].value : nil
    }

    /// The body without a newline at its end.
    public var text: String {
        String(decoding: body.last == UInt8(ascii: "\n") ? body.dropLast() : body[...], as: UTF8.self)
    }

    public var json: JSONValue {
        get throws { try JSONValue(parsing: body) }
    }
}

/// The failure to read a response.
public struct HTTPTestFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ what: String, received: [UInt8]) {
        let start = String(decoding: received.prefix(200), as: UTF8.self)
        description =
            received.isEmpty ? "\(what); nothing was received" : "\(what); received: \(start.debugDescription)"
    }
}

/// Reads responses from bytes. It shares no code with the server or client under test, so that it does not repeat their
/// errors. It accepts only conforming responses (RFC 9112).
struct HTTPTestResponseReader {
    enum Outcome {
        case needsMore
        /// The response and its length in bytes.
        case response(HTTPTestResponse, length: Int)
    }

    /// A response to HEAD has no body, regardless of its headers.
    var requestMethod: String
    /// The peer has closed the connection: no more bytes will arrive.
    var isEnd: Bool

    func read(_ bytes: [UInt8]) throws(HTTPTestFailure) -> Outcome {
        guard let headEnd = Self.index(of: Array("\r\n\r\n".utf8), in: bytes, from: 0) else { return .needsMore }
        var response = try parseHead(bytes, end: headEnd)
        let bodyStart = headEnd + 4
        let bodyless = response.status < 200 || response.status == 204 || response.status == 304
        if bodyless || requestMethod == "HEAD" { return .response(response, length: bodyStart) }

        if response["transfer-encoding"]?.lowercased() == "chunked" {
            guard let (body, end) = try parseChunks(bytes, from: bodyStart) else { return .needsMore }
            response.body = body
            return .response(response, length: end)
        }
        if let field = response["content-length"] {
            guard let length = Int(field), length >= 0 else {
                throw HTTPTestFailure("Content-Length is \(field)", received: bytes)
            }
            guard bytes.count - bodyStart >= length else { return .needsMore }
            response.body = Array(bytes[bodyStart..<(bodyStart + length)])
            return .response(response, length: bodyStart + length)
        }
        guard isEnd else { return .needsMore }
        response.body = Array(bytes[bodyStart...])
        return .response(response, length: bytes.count)
    }

    private func parseHead(_ bytes: [UInt8], end: Int) throws(HTTPTestFailure) -> HTTPTestResponse {
        // Split as bytes, because CR LF is one Character of a String.
        let lines = Self.lines(bytes[..<end])
        let statusLine = lines[0].split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard statusLine.count == 3, statusLine[0] == "HTTP/1.1", statusLine[1].utf8.count == 3,
            let status = Int(statusLine[1])
        else { throw HTTPTestFailure("no status line", received: bytes) }

        var response = HTTPTestResponse(status: status, reason: String(statusLine[2]), headers: [], body: [])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, !line[..<colon].contains(" ") else {
                throw HTTPTestFailure("a malformed header line: \(line.debugDescription)", received: bytes)
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            response.headers.append((String(line[..<colon]), String(value)))
        }
        return response
    }

    /// The body and its end; nil if more bytes are needed.
    private func parseChunks(_ bytes: [UInt8], from start: Int) throws(HTTPTestFailure) -> ([UInt8], Int)? {
        let lineEnd = Array("\r\n".utf8)
        var body: [UInt8] = []
        var position = start
        while true {
            guard let sizeEnd = Self.index(of: lineEnd, in: bytes, from: position) else { return nil }
            let sizeText = String(decoding: bytes[position..<sizeEnd], as: UTF8.self)
            guard let size = Int(sizeText, radix: 16), size >= 0 else {
                throw HTTPTestFailure("a chunk of size \(sizeText.debugDescription)", received: bytes)
            }
            position = sizeEnd + 2
            guard bytes.count >= position + size + 2 else { return nil }
            body += bytes[position..<(position + size)]
            guard Array(bytes[(position + size)..<(position + size + 2)]) == lineEnd else {
                throw HTTPTestFailure("a chunk longer than it says", received: bytes)
            }
            position += size + 2
            if size == 0 { return (body, position) }
        }
    }

    private static func lines(_ bytes: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        var start = bytes.startIndex
        while let end = index(of: Array("\r\n".utf8), in: Array(bytes), from: start) {
            lines.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end + 2
        }
        lines.append(String(decoding: bytes[start...], as: UTF8.self))
        return lines
    }

    private static func index(of pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard start + pattern.count <= bytes.count else { return nil }
        return (start...(bytes.count - pattern.count)).first { bytes[$0..<($0 + pattern.count)].elementsEqual(pattern) }
    }
}
