public import EventLoop
internal import Synchronization
internal import Values

extension DatabaseConnection {
    /// Opens a connection without blocking the loop, and sets the parameters of its session.
    ///
    /// - Throws: `.connectionFailed`, also when `settings.connectTimeout` has passed, and when a pooler gives each
    ///   transaction another session (`PoolerCheck`).
    /// - Precondition: called on the loop.
    public static func connect(
        _ settings: DatabaseSettings, profile: SessionProfile = .general, credentials: DatabaseCredentials? = nil,
        on loop: Loop
    ) async throws(PostgresError) -> DatabaseConnection {
        loop.preconditionCurrent()
        let deadline = MonotonicInstant.now() + settings.connectTimeout
        func open(_ deadline: MonotonicInstant) async throws(PostgresError) -> DatabaseConnection {
            try await opened(settings, credentials, until: deadline, on: loop)
        }
        let connection = try await open(deadline)
        do throws(PostgresError) {
            let parameters = settings.sessionParameters(profile)
            let serverProcessID = connection.serverProcessID
            if try await connection.set(parameters, ifServerProcessIs: serverProcessID, until: deadline) == false {
                try await PoolerCheck.refuseTransactionPooling(connection, until: deadline, second: open)
                _ = try await connection.set(parameters, ifServerProcessIs: nil, until: deadline)
            }
        } catch {
            connection.close()
            if case .connectionFailed = error { throw error }
            throw .connectionFailed(reason: "\(error)")
        }
        return connection
    }

    private static func opened(
        _ settings: DatabaseSettings, _ credentials: DatabaseCredentials?, until deadline: MonotonicInstant,
        on loop: Loop
    ) async throws(PostgresError) -> DatabaseConnection {
        let attempt = ConnectAttempt(on: loop, deadline: deadline)
        let handle = try await attempt.run(settings.parameters(credentials: credentials)).get()
        do throws(PostgresError) {
            return try DatabaseConnection(handle: handle, settings: settings, loop: loop)
        } catch {
            handle.close()
            throw error
        }
    }

    /// Settings that this version of PostgreSQL does not have are left out. Commits wait for the disk, whatever the
    /// database's own default is, unless the profile says otherwise; a stricter default stays.
    private static let setStatement = """
        SELECT set_config(name, value, false)
        FROM (SELECT 'synchronous_commit' AS name, 'on' AS value, 0 AS ordinal
              WHERE current_setting('synchronous_commit') IN ('off', 'local')
              UNION ALL
              SELECT name, value, ordinal FROM unnest($1, $2) WITH ORDINALITY AS given (name, value, ordinal)
              WHERE current_setting(name, true) IS NOT NULL
              ORDER BY ordinal) AS settings
        WHERE $3 IS NULL OR $3 = pg_backend_pid()
        """

    /// - Parameter serverProcessID: sets nothing in a session with another server process; nil: sets in any.
    /// - Returns: whether it has set the parameters.
    private func set(
        _ values: [(name: String, value: String)], ifServerProcessIs serverProcessID: Int32?,
        until deadline: MonotonicInstant
    ) async throws(PostgresError) -> Bool {
        var parameters = Parameters()
        parameters.appendArray(of: .text) { names in
            for (name, _) in values { names.append(text: name) }
        }
        parameters.appendArray(of: .text) { texts in
            for (_, value) in values { texts.append(text: value) }
        }
        parameters.append(serverProcessID)
        return try await !execute(sql: Self.setStatement, parameters, timeout: deadline - .now()).isEmpty
    }
}

/// One connection attempt: resolves host names, then tries the hosts one after the other, and drives libpq's connection
/// states when the socket is ready.
///
/// Each host gets an equal share of the time that is left, because libpq alone would wait for the first one that does
/// not answer until all time is over. A host that did not answer comes last in the attempts of the next half minute.
///
/// `@unchecked Sendable`, because it is confined to its loop's thread.
private final class ConnectAttempt: @unchecked Sendable {
    /// Until when a host that did not answer comes last, by its name. Of all attempts of the process.
    private static let silentHosts = Mutex<[String: MonotonicInstant]>([:])
    private static let silentFor = Duration.seconds(30)

    private let loop: Loop
    private let deadline: MonotonicInstant
    private var timer: LoopTimer?
    private var watch: Watch?
    private var handle: ConnectionHandle?
    private var continuation: UnsafeContinuation<Result<ConnectedHandle, PostgresError>, Never>?
    /// The parameters for each host that is still to be tried.
    private var rest: ArraySlice<[ConnectionParameter]> = []
    private var current: [ConnectionParameter] = []
    private var failures: [String] = []

    /// Transfers the ownership of the handle out of this object.
    struct ConnectedHandle: @unchecked Sendable {
        let handle: ConnectionHandle
    }

    init(on loop: Loop, deadline: MonotonicInstant) {
        self.loop = loop
        self.deadline = deadline
    }

    func run(_ parameters: [ConnectionParameter]) async -> Result<ConnectionHandle, PostgresError> {
        let result = await withUnsafeContinuation { continuation in
            self.continuation = continuation
            timer = loop.schedule(at: deadline) { self.timeout() }
            if HostResolution.hosts(in: parameters).isEmpty {
                start(parameters)
            } else {
                resolve(parameters)
            }
        }
        return result.map(\.handle)
    }

    private func resolve(_ parameters: [ConnectionParameter]) {
        loop.spawn {
            do throws(PostgresError) {
                self.start(try await HostResolution.resolve(parameters))
            } catch {
                self.finish(.failure(error))
            }
        }
    }

    private func start(_ parameters: [ConnectionParameter]) {
        let hosts = HostResolution.split(parameters)
        let now = MonotonicInstant.now()
        let silent = Self.silentHosts.withLock { silent in
            silent = silent.filter { $0.value > now }
            return silent
        }
        rest = hosts.filter { silent[HostResolution.name(of: $0)] == nil }[...]
        rest += hosts.filter { silent[HostResolution.name(of: $0)] != nil }
        tryNext()
    }

    private func tryNext() {
        // The deadline may have passed during the name resolution.
        guard continuation != nil else { return }
        guard let next = rest.popFirst() else {
            return finish(.failure(.connectionFailed(reason: failures.joined(separator: "; "))))
        }
        current = next
        timer?.cancel()
        timer = loop.schedule(at: .now() + (deadline - .now()) / (rest.count + 1)) { self.timeout() }
        do throws(PostgresError) {
            handle = try ConnectionHandle(connectingWith: next)
            // libpq documentation: behave as if the last PQconnectPoll had returned PGRES_POLLING_WRITING.
            wait(for: .writable)
        } catch {
            fail("\(error)")
        }
    }

    private func poll() {
        guard let handle else { return }
        // Each poll may close the socket and open another one, possibly with the same number.
        watch?.cancel()
        watch = nil
        switch handle.pollConnection() {
        case .wantsToRead: wait(for: .readable)
        case .wantsToWrite: wait(for: .writable)
        case .failed: fail(handle.errorMessage)
        case .connected:
            self.handle = nil
            setSilent(false)
            finish(.success(ConnectedHandle(handle: handle)))
        }
    }

    private func wait(for interest: Readiness) {
        guard let descriptor = handle?.descriptor else { return fail("the socket is closed") }
        do {
            watch = try loop.watch(descriptor, interest) { [self] _ in poll() }
        } catch {
            fail("\(error)")
        }
    }

    private func timeout() {
        guard handle != nil else {
            return finish(.failure(.connectionFailed(reason: "not connected within the connect timeout")))
        }
        setSilent(true)
        let host = HostResolution.name(of: current)
        fail(
            failures.isEmpty && rest.isEmpty
                ? "not connected within the connect timeout" : "\(host) has not answered in its share of the time")
    }

    private func setSilent(_ isSilent: Bool) {
        let host = HostResolution.name(of: current)
        Self.silentHosts.withLock { $0[host] = isSilent ? .now() + Self.silentFor : nil }
    }

    /// Of the current host.
    private func fail(_ reason: String) {
        failures.append(reason)
        closeHandle()
        tryNext()
    }

    private func finish(_ result: Result<ConnectedHandle, PostgresError>) {
        guard let continuation else { return }
        self.continuation = nil
        timer?.cancel()
        timer = nil
        closeHandle()
        continuation.resume(returning: result)
    }

    private func closeHandle() {
        watch?.cancel()
        watch = nil
        handle?.close()
        handle = nil
    }
}
