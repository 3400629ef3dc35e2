/// All series of one metric at one moment, as they are rendered.
public struct MetricFamily: Sendable, Equatable {
    public let declaration: MetricDeclaration
    public private(set) var samples: [MetricSample]

    public init(_ declaration: MetricDeclaration, samples: [MetricSample] = []) {
        self.declaration = declaration
        self.samples = samples
    }

    /// A family whose values come from elsewhere (a table, `/proc`), not from a registry.
    public init(_ kind: MetricDeclaration.Kind, _ name: String, help: String, labels: [String] = []) {
        self.init(MetricDeclaration(kind, name, help: help, labels: labels))
    }

    /// Adds a series of a counter or gauge; one label value for each declared label, in its order.
    public mutating func add(_ value: Double, _ labelValues: String...) {
        precondition(declaration.kind != .histogram, "a histogram has parts: \(declaration.name)")
        precondition(labelValues.count == declaration.labels.count, "labels of \(declaration.name)")
        samples.append(MetricSample(part: .value, labelValues: labelValues, value: value))
    }

    /// Families by name, those of one name made one. A series that stands in several is added up when it only grows (a
    /// counter, a histogram); of a gauge the later one wins. A family whose declaration contradicts the first of its
    /// name (it comes from another version) is left out, so that the page stays valid.
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

    /// Sorted by labels, the parts of a histogram together and its buckets rising.
    private func samplesWithoutDuplicates() -> [MetricSample] {
        var unique: [MetricSample] = []
        var places: [MetricSample.Key: Int] = [:]
        for sample in samples {
            if let place = places[sample.key] {
                unique[place].value = declaration.kind == .gauge ? sample.value : unique[place].value + sample.value
            } else {
                places[sample.key] = unique.count
                unique.append(sample)
            }
        }
        return unique.sorted { $0.key < $1.key }
    }
}

/// One number of one series.
public struct MetricSample: Sendable, Equatable {
    /// Which line of a series this is. Counters and gauges have the one value; a histogram has a cumulative count for
    /// each bound and for infinity, the sum of what was observed, and the count.
    public enum Part: Sendable, Hashable {
        case value
        case bucket(upperBound: Double)
        case sum
        case count
    }

    public let part: Part
    /// In the order of the declaration's labels.
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
    /// What the part puts after the metric's name.
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
