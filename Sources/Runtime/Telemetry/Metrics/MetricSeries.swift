import Synchronization

/// The series of one metric by their label values. Look one up once and keep it: `with` takes a lock and compares
/// strings, the instrument that it returns does neither.
public final class MetricSeries<Instrument: MetricInstrument>: MetricSource {
    let declaration: MetricDeclaration
    private let seriesMax: Int
    private let logger: Logger?
    private let make: @Sendable () -> Instrument
    private let known = Mutex<[[String]: Instrument]>([:])

    init(
        _ declaration: MetricDeclaration, seriesMax: Int, logger: Logger?, make: @escaping @Sendable () -> Instrument
    ) {
        self.declaration = declaration
        self.seriesMax = seriesMax
        self.logger = logger
        self.make = make
    }

    /// The instrument of these label values, one for each declared label in its order. Once the family has as many
    /// series as it may, further values share the one whose labels are all `other`, and a warning is logged once:
    /// a label that takes its value from users must not be able to fill the memory here or in Prometheus.
    public func with(_ labelValues: String...) -> Instrument {
        with(labelValues)
    }

    public func with(_ labelValues: [String]) -> Instrument {
        precondition(labelValues.count == declaration.labels.count, "labels of \(declaration.name)")
        let (instrument, hasJustOverflown) = known.withLock { known in
            if let instrument = known[labelValues] { return (instrument, false) }
            guard known.count >= seriesMax, !labelValues.isEmpty else {
                let instrument = make()
                known[labelValues] = instrument
                return (instrument, false)
            }
            let other = [String](repeating: "other", count: labelValues.count)
            if let instrument = known[other] { return (instrument, false) }
            let instrument = make()
            known[other] = instrument
            return (instrument, true)
        }
        if hasJustOverflown {
            logger?.warning(
                "a metric has too many label values; further ones are counted as other",
                ["metric": .string(declaration.name), "series_max": .integer(seriesMax)])
        }
        return instrument
    }

    func family() -> MetricFamily {
        let instruments = known.withLock { $0 }
        return MetricFamily(
            declaration,
            samples: instruments.flatMap { labelValues, instrument in instrument.samples(labelValues: labelValues) })
    }
}

/// What the registry knows of a metric whatever its instruments are.
protocol MetricSource: AnyObject, Sendable {
    var declaration: MetricDeclaration { get }
    func family() -> MetricFamily
}
