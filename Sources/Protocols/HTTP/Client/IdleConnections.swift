internal import EventLoop
internal import Values

/// A connection on which no exchange is under way.
final class ClientConnection: Sendable {
    let stream: any ByteStream
    /// When the last exchange on it ended.
    let idleSince: MonotonicInstant

    init(_ stream: any ByteStream, idleSince: MonotonicInstant) {
        self.stream = stream
        self.idleSince = idleSince
    }

    /// Whether the server has neither closed the connection nor said anything on it unasked. Costs a turn of the loop.
    func isQuiet() async -> Bool {
        var unasked: [UInt8] = []
        do throws(StreamError) {
            _ = try await stream.read(into: &unasked, atMost: 1, deadline: .now())
            return false
        } catch {
            return error == .timedOut
        }
    }
}

/// The kept connections of a client, by origin: as many as the limits allow, and none for long. It closes none
/// itself: what must be closed is given back.
struct IdleConnections: Sendable {
    private let limits: ClientLimits
    private var byOrigin: [Origin: [ClientConnection]] = [:]
    private(set) var count = 0

    init(limits: ClientLimits) {
        self.limits = limits
    }

    /// The connection that was used last: the others may grow old.
    mutating func take(_ origin: Origin) -> ClientConnection? {
        guard let connection = byOrigin[origin]?.popLast() else { return nil }
        count -= 1
        if byOrigin[origin]?.isEmpty == true { byOrigin[origin] = nil }
        return connection
    }

    /// Keeps a connection if there is room, made by giving up what has grown old. Returns what is to be closed.
    mutating func keep(_ connection: ClientConnection, for origin: Origin) -> [ClientConnection] {
        var surplus: [ClientConnection] = []
        let isFull = count >= limits.idleMax || byOrigin[origin, default: []].count >= limits.idlePerEndpointMax
        if isFull { surplus = removeOlder(than: limits.idleTimeout, at: connection.idleSince) }
        guard count < limits.idleMax, byOrigin[origin, default: []].count < limits.idlePerEndpointMax else {
            return surplus + [connection]
        }
        byOrigin[origin, default: []].append(connection)
        count += 1
        return surplus
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
