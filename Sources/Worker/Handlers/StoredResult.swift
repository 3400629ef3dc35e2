internal import JSON
internal import Jobs

/// The conversion of a handler's output to the result of a job, which is JSON. JSON output is stored unchanged, without
/// the white space around it. Other output is stored as a JSON string, with U+FFFD for bytes that are not UTF-8.
enum StoredResult {
    /// A success with this result; without a result if there is only white space. A result longer than
    /// `JobLimits.resultBytesMax` is a permanent failure: the work is done, and a retry would give the same result.
    ///
    /// - Parameter name: the source of the output, for the error.
    static func success(from bytes: [UInt8], named name: String) -> AttemptResult {
        guard !bytes.allSatisfy(\.isJSONWhiteSpace) else { return .succeeded(result: nil) }
        let range = jsonRange(in: bytes)
        let result = range.map { $0.count == bytes.count ? bytes : Array(bytes[$0]) } ?? string(of: bytes)
        guard result.count > JobLimits.resultBytesMax else { return .succeeded(result: result) }
        let sizes = "\(result.count) bytes; the maximum is \(JobLimits.resultBytesMax)"
        return .failed(error: range == nil ? "\(name), as a JSON string, has \(sizes)" : "\(name) has \(sizes)")
    }

    private static func jsonRange(in bytes: [UInt8]) -> Range<Int>? {
        var reader = JSONReader(bytes)
        guard let range = try? reader.skipValue(), (try? reader.finish()) != nil else { return nil }
        return range
    }

    private static func string(of bytes: [UInt8]) -> [UInt8] {
        let end = bytes.lastIndex { !$0.isJSONWhiteSpace }.map { $0 + 1 } ?? 0
        let rest = bytes[..<end].drop(while: \.isJSONWhiteSpace)
        var writer = JSONWriter(capacity: rest.count + 2)
        writer.string(utf8: Array(rest))
        return writer.finish()
    }
}

extension UInt8 {
    /// RFC 8259 section 2.
    var isJSONWhiteSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
}
