/// The samples of a metrics page (Prometheus text 0.0.4).
struct MetricValues {
    private var samples: [(series: Substring, value: Double)] = []

    init(_ page: String) {
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            samples.append((line[..<space], value))
        }
    }

    /// The sum of all series of a metric with this text in their labels; nil if there is none.
    func sum(_ name: String, _ label: String = "") -> Double? {
        let found = samples.filter { sample in
            let end = sample.series.firstIndex(of: "{") ?? sample.series.endIndex
            return sample.series[..<end] == name && (label.isEmpty || sample.series[end...].contains(label))
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }
}
