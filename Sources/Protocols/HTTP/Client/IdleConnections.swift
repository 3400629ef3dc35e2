internal import EventLoop
internal import Values

/// A connection without an exchange in progress.
final class ClientConnection: Sendable {
    let stream: any ByteStream
    /// End of the last exchange.
    let idleSince: MonotonicInstant

    init(_ stream: any ByteStream, idleSince: MonotonicInstant) {
        self.stream = stream
        self.idleSince = idleSince
    }

    /// Whether the server has neither closed the connection nor sent unrequested bytes. Takes one turn of the loop.
    func isReusable() async -> Bool {
        var unrequested: [UInt8] = []
        do throws(StreamError) {
            _ = try await stream.read(into: &unrequested, atMost: 1, deadline: .now())
            return false
        } catch {
            // Neither data nor an end of the stream was waiting.
            return error == .timedOut
        }
    }
}

/// The idle connections of a client by origin, within the limits of `ClientLimits`. It does not close connections; it
/// returns those to be closed.
struct IdleConnections: Sendable {
    private let limits: ClientLimits
    private var byOrigin: [Origin: [ClientConnection]] = [:]
    private(set) var count = 0

    init(limits: ClientLimits) {
        self.limits = limits
    }

    /// Removes and returns the most recently used connection, so that the others can expire. Nil without one.
    mutating func take(_ origin: Origin) -> ClientConnection? {
        guard let connection = byOrigin[origin]?.popLast() else { return nil }
        count -= 1
        if byOrigin[origin]?.isEmpty == true { byOrigin[origin] = nil }
        return connection
    }

    /// Adds a connection if the limits allow it, after removing expired ones. Returns the connections to close.
    mutating func keep(_ connection: ClientConnection, for origin: Origin) -> [ClientConnection] {
        var evicted: [ClientConnection] = []
        let isFull = count >= limits.idleMax || byOrigin[origin, default: []].count >= limits.idlePerEndpointMax
        if isFull { evicted = removeOlder(than: limits.idleTimeout, at: connection.idleSince) }
        guard count < limits.idleMax, byOrigin[origin, default: []].count < limits.idlePerEndpointMax else {
            return evicted + [connection]
        }
        byOrigin[origin, default: []].append(connection)
        count += 1
        return evicted
    }

    mutating func removeAll() -> [ClientConnection] {
        defer {
            byOrigin = [:]
            count = 0
        }
        return byOrigin.values.flatMap(\.self)
    }

    private mutating func removeOlder(than age: Duration, at now: MonotonicInstant) -> [ClientConnection] {
        var removed: [ClientConnection] = []
        for (origin, connections) in byOrigin {
            let fresh = connections.filter { now - $0.idleSince < age }
            removed.append(contentsOf: connections.filter { now - $0.idleSince >= age })
            byOrigin[origin] = fresh.isEmpty ? nil : fresh
        }
        count -= removed.count
        return removed
    }
}
