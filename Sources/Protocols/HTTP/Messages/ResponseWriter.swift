/// Serialises responses (RFC 9112 sections 4 and 6).
struct ResponseWriter: Sendable {
    /// The properties of the request and the connection that determine how a response is sent.
    struct Framing: Sendable {
        var id: RequestID
        /// Version of the request. The response always carries HTTP/1.1 (RFC 9112 section 2.3).
        var version: Version
        /// True for a response to HEAD, which has the head of the response to GET and no body.
        var omitsBody: Bool
        var keepsAlive: Bool
    }

    /// Maximum length of a body that is copied behind its head and sent with the same call. Longer bodies are sent
    /// separately, without a copy.
    static let joinedBodyBytesMax = 64 * 1024

    /// Appends the head and, if it is short, the body. Returns true if the body must be sent separately.
    static func append(
        _ response: borrowing Response, _ framing: Framing, date: DateLine, to out: inout [UInt8]
    ) -> Bool {
        let hasContent = !response.status.forbidsContent
        out.append(contentsOf: StatusLines.shared[response.status])
        out.append(contentsOf: date.bytes)
        if hasContent {
            if let type = response.contentType {
                out.append(contentsOf: "Content-Type: ".utf8)
                out.append(contentsOf: type.text.utf8)
                out.append(contentsOf: "\r\n".utf8)
            }
            out.append(contentsOf: "Content-Length: ".utf8)
            out.append(decimal: response.body.count)
            out.append(contentsOf: "\r\n".utf8)
        }
        out.append(contentsOf: "X-Request-Id: ".utf8)
        framing.id.append(to: &out)
        out.append(contentsOf: "\r\n".utf8)
        if !framing.keepsAlive {
            out.append(contentsOf: "Connection: close\r\n".utf8)
        } else if framing.version == .http10 {
            out.append(contentsOf: "Connection: keep-alive\r\n".utf8)
        }
        out.append(contentsOf: response.lines)
        out.append(contentsOf: "\r\n".utf8)
        guard hasContent, !framing.omitsBody, !response.body.isEmpty else { return false }
        guard response.body.count <= joinedBodyBytesMax else { return true }
        out.append(contentsOf: response.body)
        return false
    }

    /// The interim response 100 (Continue), which requests the body (RFC 9110 section 15.2.1).
    static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}

/// The serialised status line of every code.
private struct StatusLines: Sendable {
    static let shared = StatusLines()

    private let lines = (100...599).map { code in
        Array("HTTP/1.1 \(code) \(Status(code).reason)\r\n".utf8)
    }

    subscript(status: Status) -> [UInt8] { lines[status.code - 100] }
}
