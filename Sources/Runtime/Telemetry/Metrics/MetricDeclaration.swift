/// The type, name, help text and labels of a metric.
///
/// Declared once, and used by the process that counts and by the one that exposes counts of other processes.
public struct MetricDeclaration: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public let kind: Kind
    public let name: String
    public let help: String
    /// Names of the labels, which every series of the metric has.
    public let labels: [String]
    /// The upper bounds of a histogram's buckets, without the infinite one; empty for other types.
    public let bounds: [Double]

    /// - Precondition: the names conform to the Prometheus data model; the names of counters, and no others, end in
    ///   `_total`; the bounds of a histogram are finite and ascending. They are literals in source code, so a violation
    ///   is a programming error.
    public init(_ kind: Kind, _ name: String, help: String, labels: [String] = [], bounds: [Double] = []) {
        precondition(Self.isName(name, allowingColon: true), "invalid metric name: \(name)")
        precondition(
            name.hasSuffix("_total") == (kind == .counter), "only and all counters must end in _total: \(name)")
        precondition(
            !["_bucket", "_sum", "_count"].contains { name.hasSuffix($0) }, "suffix reserved for histograms: \(name)")
        precondition(!help.isEmpty, "no help text for \(name)")
        for label in labels {
            precondition(
                Self.isName(label, allowingColon: false) && !label.hasPrefix("__") && label != "le",
                "invalid label name: \(label)")
        }
        precondition(Set(labels).count == labels.count, "repeated label: \(name)")
        precondition(bounds.isEmpty == (kind != .histogram), "only and all histograms must have bounds: \(name)")
        precondition(
            bounds.allSatisfy(\.isFinite) && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 },
            "bounds must be finite and ascending: \(name)")
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

/// Histogram bounds in seconds.
public enum HistogramBounds {
    /// For requests and statements: 0.5 milliseconds to 10 seconds.
    public static let requestSeconds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// For waiting and running times of jobs: 1 millisecond to 6 hours.
    public static let jobSeconds: [Double] = [
        0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 21_600,
    ]
}
