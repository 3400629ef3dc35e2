internal import JSON
internal import Jobs

/// How the text that a handler gave becomes the result of a job, which is JSON: as it is, without the white space
/// around it, if it is JSON; else as a JSON string, in which bytes that are not UTF-8 are U+FFFD.
enum StoredResult {
    /// A success with this result, or without one when there is only white space. A result that is too long fails for
    /// good: the work is done, and doing it again would give the same.
    ///
    /// - Parameter name: where the text came from, for the error.
    static func success(from bytes: [UInt8], named name: String) -> AttemptResult {
        guard !bytes.allSatisfy(\.isJSONWhiteSpace) else { return .succeeded(result: nil) }
        let range = jsonRange(in: bytes)
        let result = range.map { $0.count == bytes.count ? bytes : Array(bytes[$0]) } ?? string(of: bytes)
        guard result.count > JobLimits.resultBytesMax else { return .succeeded(result: result) }
        let most = "\(result.count) bytes; at most \(JobLimits.resultBytesMax) are stored"
        return .failed(error: range == nil ? "\(name), as a JSON string, has \(most)" : "\(name) has \(most)")
    }

    private static func jsonRange(in bytes: [UInt8]) -> Range<Int>? {
        var reader = JSONReader(bytes)
        guard let range = try? reader.skipValue(), (try? reader.finish()) != nil else { return nil }
        return range
    }

    private static func string(of bytes: [UInt8]) -> [UInt8] {
        var rest = bytes.drop(while: \.isJSONWhiteSpace)
        while let last = rest.last, last.isJSONWhiteSpace { rest.removeLast() }
        var writer = JSONWriter(capacity: rest.count + 2)
        writer.string(utf8: Array(rest))
        return writer.finish()
    }
}

extension UInt8 {
    /// RFC 8259 section 2.
    var isJSONWhiteSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
}
