/// All series of a metric at one moment.
public struct MetricFamily: Sendable, Equatable {
    public let declaration: MetricDeclaration
    public private(set) var samples: [MetricSample]

    public init(_ declaration: MetricDeclaration, samples: [MetricSample] = []) {
        self.declaration = declaration
        self.samples = samples
    }

    /// A family whose values do not come from a registry, but for example from a table or `/proc`.
    public init(_ kind: MetricDeclaration.Kind, _ name: String, help: String, labels: [String] = []) {
        self.init(MetricDeclaration(kind, name, help: help, labels: labels))
    }

    /// Adds a series of a counter or gauge.
    /// - Parameter labelValues: one value for each declared label, in the order of the declaration.
    public mutating func add(_ value: Double, _ labelValues: String...) {
        precondition(declaration.kind != .histogram, "a histogram has more than one value: \(declaration.name)")
        precondition(labelValues.count == declaration.labels.count, "wrong number of labels for \(declaration.name)")
        samples.append(MetricSample(part: .value, labelValues: labelValues, value: value))
    }

    /// Merges families with the same name, and sorts them by name. Equal series are added up for counters and
    /// histograms; for a gauge the last one is used. A family whose declaration contradicts the first of its name (from
    /// another version) is dropped, so that the page stays valid.
    public static func merged(_ families: [MetricFamily]) -> [MetricFamily] {
        var byName: [String: MetricFamily] = [:]
        for family in families {
            let name = family.declaration.name
            if byName[name] == nil {
                byName[name] = MetricFamily(family.declaration)
            }
            let first = byName[name]?.declaration
            if first?.kind == family.declaration.kind, first?.labels == family.declaration.labels,
                first?.bounds == family.declaration.bounds
            {
                byName[name]?.samples += family.samples
            }
        }
        return byName.values.sorted { $0.declaration.name < $1.declaration.name }.map { family in
            MetricFamily(family.declaration, samples: family.samplesWithoutDuplicates())
        }
    }

    /// Sorted by labels, with the parts of a histogram together and its buckets ascending.
    private func samplesWithoutDuplicates() -> [MetricSample] {
        var unique: [MetricSample] = []
        var indices: [MetricSample.Key: Int] = [:]
        for sample in samples {
            if let index = indices[sample.key] {
                unique[index].value = declaration.kind == .gauge ? sample.value : unique[index].value + sample.value
            } else {
                indices[sample.key] = unique.count
                unique.append(sample)
            }
        }
        return unique.sorted { $0.key < $1.key }
    }
}

/// One value of one series.
public struct MetricSample: Sendable, Equatable {
    /// The line of a series. Counters and gauges have one value; a histogram has a cumulative count for each bound and
    /// for infinity, the sum of the observed values, and their count.
    public enum Part: Sendable, Hashable {
        case value
        case bucket(upperBound: Double)
        case sum
        case count
    }

    public let part: Part
    /// Label values in the order of the declaration.
    public let labelValues: [String]
    public var value: Double

    public init(part: Part, labelValues: [String], value: Double) {
        self.part = part
        self.labelValues = labelValues
        self.value = value
    }

    struct Key: Hashable, Comparable {
        let labelValues: [String]
        let part: Part

        static func < (left: Key, right: Key) -> Bool {
            guard left.labelValues == right.labelValues else {
                return left.labelValues.lexicographicallyPrecedes(right.labelValues)
            }
            return left.part.order < right.part.order
        }
    }

    var key: Key { Key(labelValues: labelValues, part: part) }
}

extension MetricSample.Part {
    /// The suffix after the metric's name.
    var suffix: String {
        switch self {
        case .value: ""
        case .bucket: "_bucket"
        case .sum: "_sum"
        case .count: "_count"
        }
    }

    fileprivate var order: (Int, Double) {
        switch self {
        case .value: (0, 0)
        case .bucket(let upperBound): (1, upperBound)
        case .sum: (2, 0)
        case .count: (3, 0)
        }
    }
}
