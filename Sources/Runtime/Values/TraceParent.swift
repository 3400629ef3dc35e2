/// The position of a request or a job in a distributed trace: the `traceparent` of W3C Trace Context (level 1).
///
/// Ids are never all zero, which the standard forbids. The written version is always 00.
public struct TraceParent: Hashable, Sendable {
    /// The 128 bits of the trace id, high half first.
    public let traceHigh: UInt64
    public let traceLow: UInt64
    /// The id of the parent span, for the receiver.
    public let span: UInt64
    /// Whether the caller may have recorded its span.
    public let isSampled: Bool

    private init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
    }

    /// A new trace with a new span.
    public static func new(isSampled: Bool, using random: inout some RandomNumberGenerator) -> TraceParent {
        TraceParent(
            traceHigh: random.next(), traceLow: .random(in: 1 ... .max, using: &random),
            span: .random(in: 1 ... .max, using: &random), isSampled: isSampled)
    }

    public static func new(isSampled: Bool = false) -> TraceParent {
        var random = SystemRandomNumberGenerator()
        return new(isSampled: isSampled, using: &random)
    }

    /// A new span in the same trace.
    public func child(using random: inout some RandomNumberGenerator) -> TraceParent {
        TraceParent(
            traceHigh: traceHigh, traceLow: traceLow, span: .random(in: 1 ... .max, using: &random),
            isSampled: isSampled)
    }

    public func child() -> TraceParent {
        var random = SystemRandomNumberGenerator()
        return child(using: &random)
    }

    /// Parses a header value: `00-<32 lower-case hex>-<16>-<2>`. Nil for any other text, because the standard requires
    /// that an invalid value is ignored. A later version (01 to fe) may have more after a further `-`.
    public init?(parsing bytes: some Collection<UInt8>) {
        var rest = HexScanner(rest: bytes[...])
        guard let version = rest.number(digits: 2), version != 0xff, rest.takeHyphen(),
            let high = rest.number(digits: 16), let low = rest.number(digits: 16), rest.takeHyphen(),
            let span = rest.number(digits: 16), rest.takeHyphen(),
            let flags = rest.number(digits: 2),
            rest.rest.isEmpty || (version > 0 && rest.takeHyphen()),
            high | low != 0, span != 0
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
    }

    public init?(parsing text: some StringProtocol) {
        self.init(parsing: text.utf8)
    }

    /// The trace id as 32 hexadecimal digits; `trace_id` in logs.
    public var traceIdentifier: String {
        var bytes: [UInt8] = []
        bytes.append(hexadecimal: traceHigh)
        bytes.append(hexadecimal: traceLow)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the 55 bytes of the header value.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "00-".utf8)
        bytes.append(hexadecimal: traceHigh)
        bytes.append(hexadecimal: traceLow)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(hexadecimal: span)
        bytes.append(contentsOf: (isSampled ? "-01" : "-00").utf8)
    }
}

extension TraceParent: CustomStringConvertible {
    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

private struct HexScanner<Bytes: Collection> where Bytes.Element == UInt8, Bytes.SubSequence == Bytes {
    var rest: Bytes

    /// Exactly `digits` (at most 16) lower-case hexadecimal digits.
    mutating func number(digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for _ in 0..<digits {
            guard let byte = rest.popFirst() else { return nil }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    mutating func takeHyphen() -> Bool {
        rest.popFirst() == UInt8(ascii: "-")
    }
}
