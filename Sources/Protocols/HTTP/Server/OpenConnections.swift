internal import EventLoop
internal import Synchronization

/// One open connection, as the rest of the server sees it.
final class ConnectionRecord: Sendable {
    /// What a connection is at. It moves itself between `waiting` and `working`; a drain moves it from `waiting` to
    /// `dismissed`, after which it answers nothing more.
    enum Phase: UInt8, AtomicRepresentable {
        /// For the first byte of a request.
        case waiting
        /// On a request that has begun to arrive or is not answered yet.
        case working
        /// Told that nothing will be answered any more.
        case dismissed
    }

    let loop: Loop
    private let stream: Mutex<any ByteStream>
    private let phase = Atomic(Phase.working)

    init(_ stream: any ByteStream, on loop: Loop) {
        self.stream = Mutex(stream)
        self.loop = loop
    }

    /// The stream has become another one, above the first: TLS.
    func upgrade(to upgraded: any ByteStream) {
        stream.withLock { $0 = upgraded }
    }

    func beginWaiting() {
        phase.store(.waiting, ordering: .relaxed)
    }

    /// Whether what has arrived may be answered.
    func beginWorking() -> Bool {
        phase.compareExchange(expected: .waiting, desired: .working, ordering: .relaxed).exchanged
    }

    /// Tells a waiting client that no request will be answered any more. Call it on the loop.
    func dismissIfWaiting() {
        guard phase.compareExchange(expected: .waiting, desired: .dismissed, ordering: .relaxed).exchanged else {
            return
        }
        stream.withLock { $0 }.closeWriting()
    }

    /// Closes a dismissed connection whose client has not. Call it on the loop.
    func closeIfDismissed() {
        if phase.load(ordering: .relaxed) == .dismissed { close() }
    }

    /// Call it on the loop.
    func close() {
        stream.withLock { $0 }.close()
    }
}

/// The open connections of a server: how many may be, and which there are.
final class OpenConnections: Sendable {
    private struct State {
        /// Accepted and not ended, with or without a record yet.
        var count = 0
        var refusals = 0
        var records: [ObjectIdentifier: ConnectionRecord] = [:]
        var whenEmpty: (@Sendable () -> Void)?
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
        /// To be told that the server is full.
        case refused
        /// Too many are being told so already.
        case ignored
    }

    /// Whether one more may be. `admitted` is ended with `leave`, `refused` with `leaveRefused`.
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

    func note(_ record: ConnectionRecord) {
        state.withLock { $0.records[ObjectIdentifier(record)] = record }
    }

    func leave(_ record: ConnectionRecord?) {
        let whenEmpty = state.withLock { state in
            state.count -= 1
            if let record { state.records[ObjectIdentifier(record)] = nil }
            return state.count == 0 ? state.whenEmpty : nil
        }
        whenEmpty?()
    }

    func leaveRefused() {
        state.withLock { $0.refusals -= 1 }
    }

    /// Calls `notice` each time that the last connection has ended, and now if there is none.
    func whenEmpty(_ notice: @escaping @Sendable () -> Void) {
        let isEmpty = state.withLock { state in
            state.whenEmpty = notice
            return state.count == 0
        }
        if isEmpty { notice() }
    }

    /// Does something to every connection, on its loop.
    func onEach(_ body: @escaping @Sendable (ConnectionRecord) -> Void) {
        for record in state.withLock({ Array($0.records.values) }) {
            record.loop.execute { body(record) }
        }
    }
}
