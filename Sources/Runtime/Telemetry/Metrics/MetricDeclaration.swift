/// What a metric is, before it has any value: the name, the help and the labels that every series of it bears.
///
/// Declared once, and used by the process that counts and by the one that shows what others have counted.
public struct MetricDeclaration: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public let kind: Kind
    public let name: String
    public let help: String
    public let labels: [String]
    /// The upper bounds of a histogram's buckets without the last, infinite one; empty for other kinds.
    public let bounds: [Double]

    /// Names, labels and bounds are written in source code, so a wrong one is a programmer's error and traps: names as
    /// the Prometheus data model has them, a counter ends in `_total` and nothing else does, bounds are finite and rise.
    public init(_ kind: Kind, _ name: String, help: String, labels: [String] = [], bounds: [Double] = []) {
        precondition(Self.isName(name, allowingColon: true), "no metric name: \(name)")
        precondition(name.hasSuffix("_total") == (kind == .counter), "counters, and only they, end in _total: \(name)")
        precondition(
            !["_bucket", "_sum", "_count"].contains { name.hasSuffix($0) }, "a name that histograms use: \(name)")
        precondition(!help.isEmpty, "no help for \(name)")
        for label in labels {
            precondition(
                Self.isName(label, allowingColon: false) && !label.hasPrefix("__") && label != "le",
                "no label name: \(label)")
        }
        precondition(Set(labels).count == labels.count, "a label twice: \(name)")
        precondition(bounds.isEmpty == (kind != .histogram), "histograms, and only they, have bounds: \(name)")
        precondition(
            bounds.allSatisfy(\.isFinite) && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 },
            "bounds must be finite and rise: \(name)")
        self.kind = kind
        self.name = name
        self.help = help
        self.labels = labels
        self.bounds = bounds
    }

    private static func isName(_ name: String, allowingColon: Bool) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"): allowingColon
            default: false
            }
        }
    }
}

/// Bounds in seconds that fit what is measured here.
public enum HistogramBounds {
    /// Requests and statements: half a millisecond to ten seconds.
    public static let requestSeconds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Waiting and running of jobs: a millisecond to six hours.
    public static let jobSeconds: [Double] = [
        0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 21_600,
    ]
}
