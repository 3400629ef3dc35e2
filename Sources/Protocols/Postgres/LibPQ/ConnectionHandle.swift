import CLibPQ

/// Owns a `PGconn`, with one thin function for each call of libpq, which throws the call's failure. Confined to one
/// loop; `close` must be called once.
///
/// Properties of libpq 15 on which the callers rely:
/// - `PQpipelineSync` writes to the socket, so each sync costs one `send`; the commands between two syncs are sent
///   together.
/// - Each command of a pipeline returns one result and then null; a sync returns one result without null.
/// - Every function here may close the socket; `descriptor` is then nil.
final class ConnectionHandle {
    private let pointer: OpaquePointer
    private let notices = NoticeReceiver()

    /// Starts to connect (`PQconnectStartParams`). Host names must be resolved, because libpq's resolution blocks.
    init(connectingWith parameters: [ConnectionParameter]) throws(PostgresError) {
        let pointer = CStrings.withArrays(parameters.map(\.keyword), parameters.map(\.value)) { keywords, values in
            PQconnectStartParams(keywords, values, 0)
        }
        guard let pointer else { throw .connectionFailed(reason: "out of memory") }
        self.pointer = pointer
        notices.receive(from: pointer)
        guard PQstatus(pointer) != CONNECTION_BAD else {
            let reason = errorMessage
            PQfinish(pointer)
            throw .connectionFailed(reason: reason)
        }
    }

    enum Progress {
        case wantsToRead, wantsToWrite, connected, failed
    }

    func pollConnection() -> Progress {
        switch PQconnectPoll(pointer) {
        case PGRES_POLLING_READING: .wantsToRead
        case PGRES_POLLING_WRITING: .wantsToWrite
        case PGRES_POLLING_OK: .connected
        default: .failed
        }
    }

    /// The socket; nil after libpq has closed it.
    var descriptor: Int32? {
        let socket = PQsocket(pointer)
        return socket >= 0 ? socket : nil
    }

    var isBroken: Bool { PQstatus(pointer) == CONNECTION_BAD || PQsocket(pointer) < 0 }

    var errorMessage: String { oneLine(PQerrorMessage(pointer)) }

    var serverProcessID: Int32 { PQbackendPID(pointer) }

    var serverVersion: Int32 { PQserverVersion(pointer) }

    /// Whether a commit has been reported since the last call that no synchronous standby has confirmed.
    func takeUnconfirmedCommit() -> Bool { notices.takeUnconfirmedCommit() }

    var isInTransaction: Bool { PQtransactionStatus(pointer) != PQTRANS_IDLE }

    func enterPipelineMode() throws(PostgresError) {
        guard PQsetnonblocking(pointer, 1) == 0, PQenterPipelineMode(pointer) == 1 else {
            throw .connectionFailed(reason: errorMessage)
        }
    }

    func sendPrepare(_ serverName: String, _ sql: String, _ types: [PostgresType]) throws(PostgresError) {
        let sent = withUnsafeTemporaryAllocation(of: Oid.self, capacity: max(1, types.count)) { oids in
            for (index, type) in types.enumerated() { oids.initializeElement(at: index, to: type.rawValue) }
            return PQsendPrepare(pointer, serverName, sql, Int32(types.count), oids.baseAddress)
        }
        try check(sent)
    }

    func sendExecute(_ serverName: String, _ parameters: Parameters) throws(PostgresError) {
        let sent = parameters.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(pointer, serverName, count, values, lengths, formats, 1)
        }
        try check(sent)
    }

    /// Parses and executes in one step, without a name.
    func sendQuery(_ sql: String, _ parameters: Parameters) throws(PostgresError) {
        let slots = parameters.slots
        let sent = withUnsafeTemporaryAllocation(of: Oid.self, capacity: max(1, slots.count)) { oids in
            for (index, slot) in slots.enumerated() { oids.initializeElement(at: index, to: slot.type.rawValue) }
            return parameters.withPointers { count, values, lengths, formats in
                PQsendQueryParams(pointer, sql, count, oids.baseAddress, values, lengths, formats, 1)
            }
        }
        try check(sent)
    }

    func sendSync() throws(PostgresError) {
        try check(PQpipelineSync(pointer))
    }

    /// Returns true if the kernel has accepted everything, false if the socket must become writable first.
    func flush() throws(PostgresError) -> Bool {
        let status = PQflush(pointer)
        guard status >= 0 else { throw lost() }
        return status == 0
    }

    /// Reads available input without waiting. On a TLS connection it also takes bytes that OpenSSL has already
    /// decrypted, for which the socket does not become readable (libpq's minor releases of 2026 and later do so
    /// themselves).
    func consumeInput() throws(PostgresError) {
        try check(PQconsumeInput(pointer))
    }

    /// Whether `nextResult` would block.
    var isBusy: Bool { PQisBusy(pointer) == 1 }

    func nextResult() -> ResultHandle? {
        PQgetResult(pointer).map { ResultHandle(taking: $0) }
    }

    func nextNotification() -> Notification? {
        guard let notify = PQnotifies(pointer) else { return nil }
        defer { PQfreemem(notify) }
        return Notification(
            channel: String(cString: notify.pointee.relname),
            payload: notify.pointee.extra.map { String(cString: $0) } ?? "",
            serverProcessID: notify.pointee.be_pid)
    }

    /// A request to cancel the statement that the server executes for this connection. Nil if memory is exhausted.
    func cancelRequest() -> CancelRequest? {
        PQgetCancel(pointer).map { CancelRequest(taking: $0) }
    }

    func close() {
        PQfinish(pointer)
    }

    private func check(_ status: Int32) throws(PostgresError) {
        guard status == 1 else { throw lost() }
    }

    private func lost() -> PostgresError {
        .connectionLost(reason: errorMessage, outcomeUnknown: true)
    }
}
