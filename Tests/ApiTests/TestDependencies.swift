import Testing

@testable import HTTP

/// A request as the parser gives it.
func request(_ head: String, body: String = "") throws -> Request {
    var parser = RequestParser(limits: MessageLimits())
    guard case .complete(let head, _) = parser.parse(Array("\(head)\r\nHost: x\r\n\r\n".utf8), from: 0) else {
        throw Failure("not a request: \(head)")
    }
    return Request(head: head, body: Array(body.utf8), parameters: PathParameters())
}

/// What `body` throws.
func problem(_ body: () throws(Problem) -> Void, _ location: SourceLocation = #_sourceLocation) -> Problem? {
    do throws(Problem) {
        try body()
        Issue.record("no problem", sourceLocation: location)
        return nil
    } catch {
        return error
    }
}

struct Failure: Error {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
