internal import Synchronization
internal import Telemetry

/// `http_requests_total` and `http_request_duration_seconds`. The instruments are looked up by route, method and
/// status once, and by a number after that.
final class RequestMetrics: Sendable {
    static let requests = MetricDeclaration(
        .counter, "http_requests_total", help: "Requests answered.", labels: ["route", "method", "status"])
    static let durations = MetricDeclaration(
        .histogram, "http_request_duration_seconds",
        help: "Seconds from the end of a request's head until its answer is handed to the kernel.", labels: ["route"],
        bounds: HistogramBounds.requestSeconds)

    /// Stands for requests that belong to no route: 404, OPTIONS, and what is no HTTP.
    private static let noRoute = "none"

    private let requests: MetricSeries<Counter>
    private let routes: [RouteInstruments]
    private let unrouted: RouteInstruments

    init(_ registry: MetricRegistry, routes: [Route]) {
        requests = registry.counters(Self.requests)
        let durations = registry.histograms(Self.durations)
        // Several methods share a pattern, and so one histogram.
        self.routes = routes.map { RouteInstruments($0.pattern, durations.with($0.pattern)) }
        unrouted = RouteInstruments(Self.noRoute, durations.with(Self.noRoute))
    }

    /// - Parameters:
    ///   - route: the place of the route in the router; nil if none matched.
    ///   - method: nil if the head could not be read.
    func count(route: Int?, method: Method?, status: Status, seconds: Double) {
        let instruments = route.map { routes[$0] } ?? unrouted
        instruments.durations.observe(seconds)
        instruments.counter(method, status, in: requests).add()
    }
}

private final class RouteInstruments: Sendable {
    private struct Known {
        var key: Int
        var counter: Counter
    }

    let name: String
    let durations: Histogram
    /// Few: a route answers one or two methods with a handful of codes.
    private let known = Mutex<[Known]>([])

    init(_ name: String, _ durations: Histogram) {
        self.name = name
        self.durations = durations
    }

    func counter(_ method: Method?, _ status: Status, in series: MetricSeries<Counter>) -> Counter {
        let key = status.code << 8 | Int(method?.rawValue ?? UInt8.max)
        return known.withLock { known in
            for entry in known where entry.key == key { return entry.counter }
            let counter = series.with(name, method?.description ?? "invalid", String(status.code))
            known.append(Known(key: key, counter: counter))
            return counter
        }
    }
}
