import Synchronization

/// The value of one series of a metric.
public protocol MetricInstrument: AnyObject, Sendable {
    /// The current samples of the series.
    func samples(labelValues: [String]) -> [MetricSample]
}

/// A monotonically increasing count of events. Adding is one atomic addition.
public final class Counter: MetricInstrument {
    private let count = Atomic<UInt64>(0)

    init() {}

    /// - Parameter events: 0 or more.
    public func add(_ events: Int = 1) {
        count.wrappingAdd(UInt64(events), ordering: .relaxed)
    }

    public var value: UInt64 {
        count.load(ordering: .relaxed)
    }

    public func samples(labelValues: [String]) -> [MetricSample] {
        [MetricSample(part: .value, labelValues: labelValues, value: Double(value))]
    }
}

/// A value that can increase and decrease.
public final class Gauge: MetricInstrument {
    private let number = AtomicDouble()

    init() {}

    public func set(_ value: Double) {
        number.store(value)
    }

    public func add(_ difference: Double) {
        number.add(difference)
    }

    public var value: Double {
        number.load()
    }

    public func samples(labelValues: [String]) -> [MetricSample] {
        [MetricSample(part: .value, labelValues: labelValues, value: value)]
    }
}

/// A distribution of observed values in buckets. Observing is one atomic addition for the bucket and one for the sum.
public final class Histogram: MetricInstrument {
    private let bounds: [Double]
    /// One for each bound, and one for values above all bounds. Cumulated when read.
    private let buckets: [Counter]
    private let sum = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// Observes a value. NaN is ignored, because it would make the sum NaN permanently.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        buckets[index].add(1)
        sum.add(value)
    }

    /// Observes a duration in seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    public func samples(labelValues: [String]) -> [MetricSample] {
        var samples: [MetricSample] = []
        samples.reserveCapacity(bounds.count + 3)
        var count: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            count += bucket.value
            let upperBound = index < bounds.count ? bounds[index] : .infinity
            let part = MetricSample.Part.bucket(upperBound: upperBound)
            samples.append(MetricSample(part: part, labelValues: labelValues, value: Double(count)))
        }
        samples.append(MetricSample(part: .sum, labelValues: labelValues, value: sum.load()))
        samples.append(MetricSample(part: .count, labelValues: labelValues, value: Double(count)))
        return samples
    }
}

/// An atomic `Double`, stored as its bit pattern.
private struct AtomicDouble: ~Copyable {
    private let bits = Atomic<UInt64>(0)

    borrowing func load() -> Double {
        Double(bitPattern: bits.load(ordering: .relaxed))
    }

    borrowing func store(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    borrowing func add(_ difference: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + difference).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
