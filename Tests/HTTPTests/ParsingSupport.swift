import Testing

@testable import HTTP

/// The result of a parser in a form that can be compared.
enum Verdict: Equatable {
    case needMore
    case complete(consumed: Int)
    case refused(Int)
}

/// Parses `bytes` at once and again one byte at a time. Both must agree, and a rejection must not depend on the bytes
/// after it.
func parseRequest(
    _ bytes: [UInt8], limits: MessageLimits = MessageLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> (Verdict, RequestHead?) {
    var whole = RequestParser(limits: limits)
    let (expected, head) = verdict(whole.parse(bytes, from: 0))

    var bytewise = RequestParser(limits: limits)
    let prefix: [UInt8] = [0xFF, 0x00, 0x0A]
    var buffer = prefix
    var last = Verdict.needMore
    for byte in bytes {
        buffer.append(byte)
        (last, _) = verdict(bytewise.parse(buffer, from: prefix.count))
        if last != .needMore { break }
    }
    #expect(last == expected, "one byte at a time", sourceLocation: sourceLocation)
    return (expected, head)
}

func parseRequest(
    _ text: String, limits: MessageLimits = MessageLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> (Verdict, RequestHead?) {
    parseRequest(Array(text.utf8), limits: limits, sourceLocation: sourceLocation)
}

private func verdict(_ parsed: Parsed<RequestHead>) -> (Verdict, RequestHead?) {
    switch parsed {
    case .needMore: (.needMore, nil)
    case .complete(let head, let consumed): (.complete(consumed: consumed), head)
    case .invalid(let violation): (.refused(violation.status.code), nil)
    }
}

/// Decodes `text` at once and again one byte at a time. Both must agree on the verdict and on the content.
func decodeChunks(
    _ text: String, bodyBytesMax: Int = 1 << 20, limits: MessageLimits = MessageLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> (Verdict, [UInt8]) {
    let bytes = Array(text.utf8)
    var whole = ChunkedDecoder(limits: limits, bodyBytesMax: bodyBytesMax)
    var body: [UInt8] = []
    let expected = verdict(whole.decode(bytes, from: 0, into: &body), total: 0)

    var bytewise = ChunkedDecoder(limits: limits, bodyBytesMax: bodyBytesMax)
    var again: [UInt8] = []
    var buffer: [UInt8] = []
    var done = 0
    var last = Verdict.needMore
    for byte in bytes {
        buffer.append(byte)
        let outcome = bytewise.decode(buffer, from: done, into: &again)
        if case .needMore(let consumed) = outcome { done += consumed }
        last = verdict(outcome, total: done)
        if last != .needMore { break }
    }
    #expect(last == expected, "one byte at a time", sourceLocation: sourceLocation)
    #expect(again == body, "one byte at a time", sourceLocation: sourceLocation)
    return (expected, body)
}

private func verdict(_ outcome: ChunkedDecoder.Outcome, total: Int) -> Verdict {
    switch outcome {
    case .needMore: .needMore
    case .complete(let consumed): .complete(consumed: total + consumed)
    case .invalid(let violation): .refused(violation.status.code)
    }
}
