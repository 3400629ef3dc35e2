/// The counters and histograms of a process at one moment, for transfer to a process that exposes them. A worker, which
/// has no HTTP port, stores its snapshot in a table.
///
/// A snapshot is a list of pairs of a text and a number, which fit two columns of a table. Adding the numbers of equal
/// texts of many processes, in SQL or by `sum`, gives the totals; `families` converts them to families for the page.
///
/// **Monotonic totals.** Prometheus takes a counter that decreases by the last bit of a `Double` for a reset, and a
/// rate over it jumps by the whole value. Counts are whole numbers, exact up to 2^53. Sums of histograms are rounded
/// down to a multiple of 1/4096 in the snapshot, so that additions are exact up to 2^41 (69,000 years in seconds): a
/// total does not depend on the order of addition, nor on whether the snapshot of an ended process was merged into it
/// before.
public struct MetricSnapshot: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// Name and labels as in the text format: `job_wait_seconds_bucket{queue="mail",le="0.5"}`.
        public let series: String
        public let value: Double

        public init(series: String, value: Double) {
            self.series = series
            self.value = value
        }
    }

    public var entries: [Entry]

    public init(entries: [Entry]) {
        self.entries = entries
    }

    /// - Parameter families: the families to include. Gauges are skipped, because they end with their process.
    public init(_ families: [MetricFamily]) {
        entries = families.filter { $0.declaration.kind != .gauge }.flatMap { family in
            family.samples.map { sample in
                var series: [UInt8] = []
                PrometheusText.appendSeries(of: sample, family.declaration, to: &series)
                let value = sample.part == .sum ? (sample.value * 4_096).rounded(.down) / 4_096 : sample.value
                return Entry(series: String(decoding: series, as: UTF8.self), value: value)
            }
        }
    }

    /// Adds up the entries of the same series.
    public static func sum(_ snapshots: [MetricSnapshot]) -> MetricSnapshot {
        var totals: [String: Double] = [:]
        for entry in snapshots.lazy.flatMap(\.entries) {
            totals[entry.series, default: 0] += entry.value
        }
        return MetricSnapshot(
            entries: totals.sorted { $0.key < $1.key }.map { Entry(series: $0.key, value: $0.value) })
    }

    /// The families of these declarations, including those without an entry. An entry that matches none of them (from
    /// another version, or written by hand) is skipped, so that the contents of a table cannot make the page invalid.
    public func families(_ declarations: [MetricDeclaration]) -> [MetricFamily] {
        var byName: [String: MetricDeclaration] = [:]
        for declaration in declarations {
            let suffixes = declaration.kind == .histogram ? ["_bucket", "_sum", "_count"] : [""]
            for suffix in suffixes { byName[declaration.name + suffix] = declaration }
        }
        var samples: [String: [MetricSample]] = [:]
        for entry in entries where entry.value.isFinite && entry.value >= 0 {
            guard let series = SeriesText(parsing: entry.series), let declaration = byName[series.name],
                let sample = series.sample(of: declaration, value: entry.value)
            else { continue }
            samples[declaration.name, default: []].append(sample)
        }
        return MetricFamily.merged(declarations.map { MetricFamily($0, samples: samples[$0.name] ?? []) })
    }
}

extension MetricRegistry {
    /// The counters and histograms of this process since its start.
    public func snapshot() -> MetricSnapshot {
        MetricSnapshot(families())
    }
}

/// The parsed name and labels of a series; the inverse of `PrometheusText.appendSeries`.
private struct SeriesText {
    var name = ""
    var labels: [(name: String, value: String)] = []

    init?(parsing text: String) {
        var rest = text.utf8[...]
        name = String(decoding: rest.prefix { $0 != UInt8(ascii: "{") }, as: UTF8.self)
        rest = rest.dropFirst(name.utf8.count)
        guard !rest.isEmpty else { return }
        repeat {
            // The opening brace, or the comma before a further label.
            rest = rest.dropFirst()
            let label = String(decoding: rest.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
            rest = rest.dropFirst(label.utf8.count)
            guard rest.starts(with: "=\"".utf8), let value = Self.takeValue(from: &rest) else { return nil }
            labels.append((label, value))
        } while rest.first == UInt8(ascii: ",")
        guard rest.elementsEqual("}".utf8) else { return nil }
    }

    /// Consumes `="value"`. Returns the unescaped value.
    private static func takeValue(from rest: inout Substring.UTF8View) -> String? {
        rest = rest.dropFirst(2)
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                bytes.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
            default: bytes.append(byte)
            }
        }
        return nil
    }

    /// The sample of a series; nil if labels or bounds differ from the declaration.
    func sample(of declaration: MetricDeclaration, value: Double) -> MetricSample? {
        var part = MetricSample.Part.value
        var labels = self.labels[...]
        switch name.dropFirst(declaration.name.count) {
        case "_bucket":
            guard let last = labels.popLast(), last.name == "le" else { return nil }
            let bounds = declaration.bounds + [.infinity]
            guard let bound = bounds.first(where: { PrometheusText.number($0) == last.value }) else { return nil }
            part = .bucket(upperBound: bound)
        case "_sum": part = .sum
        case "_count": part = .count
        default: break
        }
        guard labels.map(\.name) == declaration.labels else { return nil }
        return MetricSample(part: part, labelValues: labels.map(\.value), value: value)
    }
}
