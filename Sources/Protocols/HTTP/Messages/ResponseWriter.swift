/// Puts responses into the form in which they are sent (RFC 9112 sections 4 and 6).
struct ResponseWriter: Sendable {
    /// What the request and the connection say about the form of an answer.
    struct Framing: Sendable {
        var id: RequestID
        /// Of the request. The answer says HTTP/1.1 in any case (RFC 9112 section 2.3).
        var version: Version
        /// The answer to HEAD: all but the body.
        var omitsBody: Bool
        var keepsAlive: Bool
    }

    /// A body up to this size is copied behind its head, to be sent with one call; a larger one is sent on its own.
    static let joinedBodyBytesMax = 64 * 1024

    /// Appends the head and, if it is small, the body. True if the body remains to be sent.
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

    /// The interim answer that asks for the body (RFC 9110 section 15.2.1).
    static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}

/// The status line of every code, ready to be copied.
private struct StatusLines: Sendable {
    static let shared = StatusLines()

    private let lines = (100...599).map { code in
        Array("HTTP/1.1 \(code) \(Status(code).reason)\r\n".utf8)
    }

    subscript(status: Status) -> [UInt8] { lines[status.code - 100] }
}
