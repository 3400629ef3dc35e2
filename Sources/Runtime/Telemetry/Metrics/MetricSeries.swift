import Synchronization

/// The series of one metric by label values. `with` takes a lock and compares strings, so its result should be stored;
/// the instrument itself does neither.
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

    /// The instrument for these label values, one for each declared label in the order of the declaration. When the
    /// metric has reached its maximum number of series, further values share the series whose labels are all `other`,
    /// and a warning is logged once. A label with values from users can therefore not exhaust memory here or in
    /// Prometheus.
    public func with(_ labelValues: String...) -> Instrument {
        with(labelValues)
    }

    public func with(_ labelValues: [String]) -> Instrument {
        precondition(labelValues.count == declaration.labels.count, "wrong number of labels for \(declaration.name)")
        let (instrument, hasJustOverflowed) = known.withLock { known in
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
        if hasJustOverflowed {
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

/// The series of a metric, independent of the type of its instruments.
protocol MetricSource: AnyObject, Sendable {
    var declaration: MetricDeclaration { get }
    func family() -> MetricFamily
}
