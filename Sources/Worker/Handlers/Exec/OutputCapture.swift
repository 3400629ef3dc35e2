/// What is kept of one output of a child process: bounded, however much comes.
protocol OutputCapture: Sendable {
    mutating func append(_ bytes: ArraySlice<UInt8>)
}

/// The beginning of an output, whole or not at all: once it is too long, nothing of it is kept.
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

/// The last line of an output that is not blank.
struct LastLine: OutputCapture {
    private let bytesMax: Int
    /// The last whole line that is not blank.
    private var complete: BoundedOutput
    /// The line that has begun and not ended.
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
        takeLastWholeLine(bytes[..<lastBreak])
        current = BoundedOutput(bytesMax: bytesMax)
        current.append(bytes[(lastBreak + 1)...])
    }

    /// Looks from the end for a line that is not blank. The first line of `bytes` continues the current one.
    private mutating func takeLastWholeLine(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while let lineBreak = rest.lastIndex(of: UInt8(ascii: "\n")) {
            var line = BoundedOutput(bytesMax: bytesMax)
            line.append(rest[(lineBreak + 1)...])
            if !LastLine.isBlank(line) {
                complete = line
                return
            }
            rest = rest[..<lineBreak]
        }
        current.append(rest)
        if !LastLine.isBlank(current) { complete = current }
    }

    private static func isBlank(_ line: BoundedOutput) -> Bool {
        !line.isTooLong && line.bytes.allSatisfy { $0 == UInt8(ascii: " ") || $0 == 0x09 || $0 == 0x0D }
    }
}

/// The end of an output.
struct OutputTail: OutputCapture {
    let bytesMax: Int
    /// At most twice `bytesMax`, so that bytes are moved once for each time that many have come.
    private var kept: [UInt8] = []
    /// How many bytes came before those that are kept.
    private var before = 0

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        kept.append(contentsOf: bytes)
        guard kept.count > 2 * bytesMax else { return }
        before += kept.count - bytesMax
        kept.removeFirst(kept.count - bytesMax)
    }

    /// The end as text, without white space at its end, after a note of what is missing. Bytes that are not UTF-8, and
    /// NUL, which PostgreSQL cannot store in a text, become U+FFFD.
    var text: String {
        var end = kept.suffix(bytesMax)
        let missing = before + kept.count - end.count
        while let last = end.last, last <= 0x20 { end.removeLast() }
        if missing > 0 {
            // What follows the cut is the rest of a character, or of a line.
            let whole = end.firstIndex { $0 & 0xC0 != 0x80 } ?? end.endIndex
            end = end[whole...]
        }
        let text = String(decoding: end, as: UTF8.self).replacingNUL
        return missing > 0 ? "[\(missing) bytes before this are left out] \(text)" : text
    }
}

/// The end of an output, whose lines are told as they come: without blank ones, and long ones in pieces.
struct ReportedOutput: OutputCapture {
    private static let lineBytesMax = 4_096

    private(set) var tail: OutputTail
    /// nil: nobody listens.
    private let tell: (@Sendable (String) -> Void)?
    /// The line that has begun.
    private var line: [UInt8] = []

    init(bytesMax: Int, tell: (@Sendable (String) -> Void)?) {
        tail = OutputTail(bytesMax: bytesMax)
        self.tell = tell
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        tail.append(bytes)
        guard tell != nil else { return }
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || line.count == Self.lineBytesMax { end() }
            if byte != UInt8(ascii: "\n") { line.append(byte) }
        }
    }

    /// The line that has begun, or the output, has ended.
    mutating func end() {
        if line.contains(where: { $0 > 0x20 }) { tell?(String(decoding: line, as: UTF8.self)) }
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
