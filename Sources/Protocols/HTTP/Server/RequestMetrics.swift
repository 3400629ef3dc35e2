internal import Synchronization
internal import Telemetry

/// `http_requests_total` and `http_request_duration_seconds`. An instrument is looked up by its labels once, and by a
/// number after that.
final class RequestMetrics: Sendable {
    static let requests = MetricDeclaration(
        .counter, "http_requests_total", help: "Requests answered.", labels: ["route", "method", "status"])
    static let durations = MetricDeclaration(
        .histogram, "http_request_duration_seconds",
        help: "Seconds from the end of a request's head until its answer is handed to the kernel.", labels: ["route"],
        bounds: HistogramBounds.requestSeconds)

    /// Label of requests without a route: 404, OPTIONS, and input that is not HTTP.
    private static let noRoute = "none"

    private let requests: MetricSeries<Counter>
    private let routes: [RouteInstruments]
    private let unrouted: RouteInstruments

    init(_ registry: MetricRegistry, routes: [Route]) {
        requests = registry.counters(Self.requests)
        let durations = registry.histograms(Self.durations)
        // The methods of one pattern share its histogram.
        self.routes = routes.map { RouteInstruments($0.pattern, durations.with($0.pattern)) }
        unrouted = RouteInstruments(Self.noRoute, durations.with(Self.noRoute))
    }

    /// - Parameters:
    ///   - route: index of the route in `Router.routes`; nil if none matched.
    ///   - method: nil if the head was invalid.
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
    /// A few entries, searched linearly: a route has one or two methods and a handful of status codes.
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
