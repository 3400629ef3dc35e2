internal import JSON
internal import Jobs

/// What a program writes to descriptor 3: lines that say how far it is, and after them its result.
///
/// A line is a report if nothing but reports stands before it, and it is an object of `progress`, a number, and perhaps
/// `message`, a text. With the first that is none the result begins, in which nothing is looked for any more: it may be
/// any text of any number of lines.
struct ReportingOutput: OutputCapture {
    /// A longer line is no report.
    private static let reportBytesMax = 8_192

    private(set) var result: BoundedOutput
    private let report: ProgressSink
    /// The line that has begun, while it may become a report.
    private var line: [UInt8] = []
    private var hasResult = false

    init(bytesMax: Int, report: @escaping ProgressSink) {
        result = BoundedOutput(bytesMax: bytesMax)
        self.report = report
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !hasResult, let lineBreak = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line.append(contentsOf: rest[..<lineBreak])
            rest = rest[(lineBreak + 1)...]
            take()
        }
        guard !hasResult else { return result.append(rest) }
        line.append(contentsOf: rest)
        if line.count > Self.reportBytesMax { beginResult() }
    }

    /// The output has ended: a line that has not is no report.
    mutating func end() {
        if !hasResult { beginResult() }
    }

    /// A line is whole.
    private mutating func take() {
        if let progress = ProgressReport(line: line) {
            report(progress)
            line.removeAll(keepingCapacity: true)
        } else if !line.allSatisfy(\.isJSONWhiteSpace) {
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
    /// nil if the line is no report.
    fileprivate init?(line: [UInt8]) {
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
