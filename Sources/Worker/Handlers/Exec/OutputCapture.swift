/// The bounded capture of one output of a child process, for output of any length.
///
/// `append` costs time in proportion to its bytes, whatever they are: a handler writes them, and the worker's loop runs
/// nothing else meanwhile.
protocol OutputCapture: Sendable {
    /// Maximum number of bytes of the next `append`, after which the loop does other work. Small where a byte costs
    /// more than a copy.
    var turnBytesMax: Int { get }

    mutating func append(_ bytes: ArraySlice<UInt8>)
}

extension OutputCapture {
    var turnBytesMax: Int { ExecLimits.readBytesMax }
}

/// A whole output of up to `bytesMax` bytes; nothing of a longer one.
struct BoundedOutput: OutputCapture {
    let bytesMax: Int
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLong = false

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    mutating func append(_ more: ArraySlice<UInt8>) {
        guard !isTooLong else { return }
        if bytes.count + more.count <= bytesMax {
            bytes.append(contentsOf: more)
        } else {
            isTooLong = true
            bytes = []
        }
    }
}

/// The last non-blank line of an output.
struct LastLine: OutputCapture {
    private let bytesMax: Int
    /// The last complete non-blank line.
    private var complete: BoundedOutput
    /// The incomplete line.
    private var current: BoundedOutput

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
        complete = BoundedOutput(bytesMax: bytesMax)
        current = complete
    }

    var line: BoundedOutput {
        LastLine.isBlank(current) ? complete : current
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard let lastBreak = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return current.append(bytes) }
        takeLastCompleteLine(bytes[..<lastBreak])
        current = BoundedOutput(bytesMax: bytesMax)
        current.append(bytes[(lastBreak + 1)...])
    }

    /// Finds the last non-blank line by its last visible byte. The first line of `bytes` continues the current one.
    private mutating func takeLastCompleteLine(_ bytes: ArraySlice<UInt8>) {
        guard let visible = bytes.lastIndex(where: { !Self.isBlank($0) && $0 != UInt8(ascii: "\n") }) else {
            if !Self.isBlank(current) {
                current.append(bytes[..<(bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex)])
                complete = current
            }
            return
        }
        let end = bytes[visible...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        guard let before = bytes[..<visible].lastIndex(of: UInt8(ascii: "\n")) else {
            current.append(bytes[..<end])
            complete = current
            return
        }
        complete = BoundedOutput(bytesMax: bytesMax)
        complete.append(bytes[(before + 1)..<end])
    }

    private static func isBlank(_ line: BoundedOutput) -> Bool {
        !line.isTooLong && line.bytes.allSatisfy(isBlank)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == 0x09 || byte == 0x0D
    }
}

/// The end of an output.
struct OutputTail: OutputCapture {
    let bytesMax: Int
    /// Up to twice `bytesMax` bytes, so that bytes are moved only once per `bytesMax` appended bytes.
    private var kept: [UInt8] = []
    /// The number of dropped bytes.
    private var dropped = 0

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        kept.append(contentsOf: bytes)
        guard kept.count > 2 * bytesMax else { return }
        dropped += kept.count - bytesMax
        kept.removeFirst(kept.count - bytesMax)
    }

    /// The end of the output as text, without trailing white space; if something is missing, a note precedes it. Bytes
    /// that are not UTF-8, and NUL, which PostgreSQL cannot store in a text, become U+FFFD.
    var text: String {
        var end = kept.suffix(bytesMax)
        let missing = dropped + kept.count - end.count
        end = end[..<(end.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? end.startIndex)]
        if missing > 0 {
            // The cut may be inside a character.
            let whole = end.firstIndex { $0 & 0xC0 != 0x80 } ?? end.endIndex
            end = end[whole...]
        }
        let text = String(decoding: end, as: UTF8.self).replacingNUL
        return missing > 0 ? "[\(missing) bytes omitted] \(text)" : text
    }
}

/// The end of an output. Each line is also passed to a function at once: blank lines are left out, and long lines are
/// split.
struct ReportedOutput: OutputCapture {
    private static let lineBytesMax = 4_096

    /// Each line is passed on, and may be as short as a byte.
    var turnBytesMax: Int { onLine == nil ? ExecLimits.readBytesMax : ExecLimits.lineReadBytesMax }

    private(set) var tail: OutputTail
    private let onLine: (@Sendable (String) -> Void)?
    /// The incomplete line.
    private var line: [UInt8] = []

    init(bytesMax: Int, onLine: (@Sendable (String) -> Void)?) {
        tail = OutputTail(bytesMax: bytesMax)
        self.onLine = onLine
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        tail.append(bytes)
        guard onLine != nil else { return }
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || line.count == Self.lineBytesMax { endLine() }
            if byte != UInt8(ascii: "\n") { line.append(byte) }
        }
    }

    /// The end of a line or of the output.
    mutating func endLine() {
        if line.contains(where: { $0 > 0x20 }) { onLine?(String(decoding: line, as: UTF8.self)) }
        line.removeAll(keepingCapacity: true)
    }
}

extension String {
    /// With U+FFFD in the place of each U+0000.
    fileprivate var replacingNUL: String {
        guard utf8.contains(0) else { return self }
        var result = ""
        for scalar in unicodeScalars { result.unicodeScalars.append(scalar == "\0" ? "\u{FFFD}" : scalar) }
        return result
    }
}
