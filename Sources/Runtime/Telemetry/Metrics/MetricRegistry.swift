import Synchronization

/// The metrics of a process. Created once at start and passed to the modules that count; not a global.
///
/// A second declaration of a metric returns the same series. A different declaration with the same name traps.
public final class MetricRegistry: Sendable {
    private let seriesMax: Int
    private let logger: Logger?
    private let sources = Mutex<[String: any MetricSource]>([:])

    /// - Parameters:
    ///   - seriesMax: maximum number of label sets of a metric. Further ones are counted as `other`.
    ///   - logger: logs a warning when a metric reaches the maximum.
    public init(seriesMax: Int = 1_000, logger: Logger? = nil) {
        self.seriesMax = seriesMax
        self.logger = logger
    }

    public func counter(_ name: String, help: String, labels: [String]) -> MetricSeries<Counter> {
        counters(MetricDeclaration(.counter, name, help: help, labels: labels))
    }

    public func counter(_ name: String, help: String) -> Counter {
        counter(name, help: help, labels: []).with()
    }

    public func gauge(_ name: String, help: String, labels: [String]) -> MetricSeries<Gauge> {
        gauges(MetricDeclaration(.gauge, name, help: help, labels: labels))
    }

    public func gauge(_ name: String, help: String) -> Gauge {
        gauge(name, help: help, labels: []).with()
    }

    public func histogram(
        _ name: String, help: String, labels: [String], bounds: [Double] = HistogramBounds.requestSeconds
    ) -> MetricSeries<Histogram> {
        histograms(MetricDeclaration(.histogram, name, help: help, labels: labels, bounds: bounds))
    }

    public func histogram(
        _ name: String, help: String, bounds: [Double] = HistogramBounds.requestSeconds
    ) -> Histogram {
        histogram(name, help: help, labels: [], bounds: bounds).with()
    }

    /// The series of a counter whose declaration is shared with its readers (see `MetricSnapshot`).
    public func counters(_ declaration: MetricDeclaration) -> MetricSeries<Counter> {
        precondition(declaration.kind == .counter, "not a counter: \(declaration.name)")
        return series(declaration) { Counter() }
    }

    public func gauges(_ declaration: MetricDeclaration) -> MetricSeries<Gauge> {
        precondition(declaration.kind == .gauge, "not a gauge: \(declaration.name)")
        return series(declaration) { Gauge() }
    }

    public func histograms(_ declaration: MetricDeclaration) -> MetricSeries<Histogram> {
        precondition(declaration.kind == .histogram, "not a histogram: \(declaration.name)")
        return series(declaration) { Histogram(bounds: declaration.bounds) }
    }

    private func series<Instrument>(
        _ declaration: MetricDeclaration, make: @escaping @Sendable () -> Instrument
    ) -> MetricSeries<Instrument> {
        sources.withLock { sources in
            guard let known = sources[declaration.name] else {
                let made = MetricSeries(declaration, seriesMax: seriesMax, logger: logger, make: make)
                sources[declaration.name] = made
                return made
            }
            guard known.declaration == declaration, let series = known as? MetricSeries<Instrument> else {
                preconditionFailure("two different metrics with the name \(declaration.name)")
            }
            return series
        }
    }

    /// All declarations so far, sorted by name.
    public var declarations: [MetricDeclaration] {
        sources.withLock { $0.values.map(\.declaration) }.sorted { $0.name < $1.name }
    }

    /// The current values, sorted by name.
    public func families() -> [MetricFamily] {
        MetricFamily.merged(sources.withLock { Array($0.values) }.map { $0.family() })
    }

    /// The page of `GET /metrics`: the families of this registry merged with others.
    public func page(with others: [MetricFamily] = []) -> [UInt8] {
        PrometheusText.page(families() + others)
    }
}
