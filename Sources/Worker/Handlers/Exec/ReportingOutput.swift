internal import JSON
internal import Jobs

/// The output of a program to descriptor 3: progress reports, one per line, then the result.
///
/// A report is a JSON object with the number `progress` and optionally the text `message`. The first line that is not a
/// report begins the result, which is not searched for reports: it may be any text with any number of lines.
struct ReportingOutput: OutputCapture {
    /// Maximum length of a report; a longer line begins the result.
    private static let reportBytesMax = 8_192

    private(set) var result: BoundedOutput
    private let report: ProgressSink
    /// The incomplete line, while it can become a report.
    private var line: [UInt8] = []
    private var hasResult = false

    init(bytesMax: Int, report: @escaping ProgressSink) {
        result = BoundedOutput(bytesMax: bytesMax)
        self.report = report
    }

    /// Reports are parsed line by line; the result is only copied.
    var turnBytesMax: Int { hasResult ? ExecLimits.readBytesMax : ExecLimits.lineReadBytesMax }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !hasResult {
            // Blank lines in one step, not one by one.
            if line.isEmpty { rest = Self.dropBlankLines(rest) }
            guard let lineBreak = rest.firstIndex(of: UInt8(ascii: "\n")) else { break }
            line.append(contentsOf: rest[..<lineBreak])
            rest = rest[(lineBreak + 1)...]
            endLine()
        }
        guard !hasResult else { return result.append(rest) }
        line.append(contentsOf: rest)
        if line.count > Self.reportBytesMax { beginResult() }
    }

    /// The bytes after the last of the blank lines at the beginning.
    private static func dropBlankLines(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let visible = bytes.firstIndex { !$0.isJSONWhiteSpace } ?? bytes.endIndex
        return bytes[..<visible].lastIndex(of: UInt8(ascii: "\n")).map { bytes[($0 + 1)...] } ?? bytes
    }

    /// The end of the output. An incomplete line is not a report.
    mutating func end() {
        if !hasResult { beginResult() }
    }

    private mutating func endLine() {
        if line.allSatisfy(\.isJSONWhiteSpace) {
            line.removeAll(keepingCapacity: true)
        } else if let progress = ProgressReport(line: line) {
            report(progress)
            line.removeAll(keepingCapacity: true)
        } else {
            line.append(UInt8(ascii: "\n"))
            beginResult()
        }
    }

    private mutating func beginResult() {
        hasResult = true
        result.append(line[...])
        line = []
    }
}

extension ProgressReport {
    /// nil: the line is not a report.
    fileprivate init?(line: [UInt8]) {
        // Most lines of a result are no objects: they cost no parse.
        guard line.first(where: { !$0.isJSONWhiteSpace }) == UInt8(ascii: "{") else { return nil }
        guard let value = try? JSONValue(parsing: line), let members = value.object,
            members.allSatisfy({ $0.name == "progress" || $0.name == "message" }),
            let percent = value["progress"]?.double
        else { return nil }
        switch value["message"] {
        case nil, .null: self.init(percent: percent, message: nil)
        case .string(let message): self.init(percent: percent, message: message)
        default: return nil
        }
    }
}
