internal import EventLoop
internal import Synchronization

/// The server's handle of one open connection, by which a drain closes it.
final class ConnectionRecord: Sendable {
    /// The connection's task moves it between `idle` and `active`. A drain moves it from `idle` to `halfClosed`, which
    /// is final: no further request is answered.
    enum Phase: UInt8, AtomicRepresentable {
        /// Waits for the first byte of a request.
        case idle
        /// A request has begun to arrive or is not answered yet.
        case active
        /// A drain has closed the sending side.
        case halfClosed
    }

    let loop: Loop
    private let stream: Mutex<any ByteStream>
    private let phase = Atomic(Phase.active)

    init(_ stream: any ByteStream, on loop: Loop) {
        self.stream = Mutex(stream)
        self.loop = loop
    }

    /// Replaces the stream by one above it, such as TLS.
    func upgrade(to upgraded: any ByteStream) {
        stream.withLock { $0 = upgraded }
    }

    func becomeIdle() {
        phase.store(.idle, ordering: .relaxed)
    }

    /// Returns whether the request that begins to arrive may be answered.
    func becomeActive() -> Bool {
        phase.compareExchange(expected: .idle, desired: .active, ordering: .relaxed).exchanged
    }

    /// Closes the sending side of an idle connection, so that the client sends no further request. Loop only.
    func halfCloseIfIdle() {
        guard phase.compareExchange(expected: .idle, desired: .halfClosed, ordering: .relaxed).exchanged else {
            return
        }
        stream.withLock { $0 }.closeWriting()
    }

    /// Closes a half-closed connection that its client has left open. Loop only.
    func closeIfHalfClosed() {
        if phase.load(ordering: .relaxed) == .halfClosed { close() }
    }

    /// Loop only.
    func close() {
        stream.withLock { $0 }.close()
    }
}

/// The open connections of a server, and the limit on their number.
final class OpenConnections: Sendable {
    private struct State {
        /// Admitted connections that have not ended, registered or not.
        var count = 0
        var refusals = 0
        var records: [ObjectIdentifier: ConnectionRecord] = [:]
        var onEmpty: (@Sendable () -> Void)?
    }

    private let connectionsMax: Int
    private let refusalsMax: Int
    private let state = Mutex(State())

    init(connectionsMax: Int, refusalsMax: Int) {
        self.connectionsMax = connectionsMax
        self.refusalsMax = refusalsMax
    }

    var count: Int { state.withLock { $0.count } }

    enum Admission {
        case admitted
        /// The server is full: to be answered with 503.
        case refused
        /// `refusalsMax` refusals are in progress: to be closed without a response.
        case ignored
    }

    /// Counts a new connection. `admitted` must be followed by `leave`, `refused` by `leaveRefused`.
    func enter() -> Admission {
        state.withLock { state in
            if state.count < connectionsMax {
                state.count += 1
                return .admitted
            }
            guard state.refusals < refusalsMax else { return .ignored }
            state.refusals += 1
            return .refused
        }
    }

    func register(_ record: ConnectionRecord) {
        state.withLock { $0.records[ObjectIdentifier(record)] = record }
    }

    func leave(_ record: ConnectionRecord?) {
        let onEmpty = state.withLock { state in
            state.count -= 1
            if let record { state.records[ObjectIdentifier(record)] = nil }
            return state.count == 0 ? state.onEmpty : nil
        }
        onEmpty?()
    }

    func leaveRefused() {
        state.withLock { $0.refusals -= 1 }
    }

    /// Calls `action` each time the last connection ends, and now if there is none.
    func onEmpty(_ action: @escaping @Sendable () -> Void) {
        let isEmpty = state.withLock { state in
            state.onEmpty = action
            return state.count == 0
        }
        if isEmpty { action() }
    }

    /// Calls `body` with every registered connection, on the connection's loop.
    func onEach(_ body: @escaping @Sendable (ConnectionRecord) -> Void) {
        for record in state.withLock({ Array($0.records.values) }) {
            record.loop.execute { body(record) }
        }
    }
}
