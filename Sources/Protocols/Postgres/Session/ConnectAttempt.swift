public import EventLoop
internal import Values

extension DatabaseConnection {
    /// Connects, without blocking the loop. Call it on the loop.
    ///
    /// - Throws: `.connectionFailed`, also when `settings.connectTimeout` has passed.
    public static func connect(
        _ settings: DatabaseSettings, profile: SessionProfile = .general, credentials: DatabaseCredentials? = nil,
        on loop: Loop
    ) async throws(PostgresError) -> DatabaseConnection {
        loop.preconditionCurrent()
        let attempt = ConnectAttempt(on: loop, deadline: .now() + settings.connectTimeout)
        let handle = try await attempt.run(settings.parameters(credentials: credentials)).get()
        let connection: DatabaseConnection
        do throws(PostgresError) {
            connection = try DatabaseConnection(handle: handle, settings: settings, loop: loop)
        } catch {
            handle.close()
            throw error
        }
        do throws(PostgresError) {
            try await connection.set(settings.sessionParameters(profile), timeout: attempt.deadline - .now())
        } catch {
            connection.close()
            throw .connectionFailed(reason: "\(error)")
        }
        return connection
    }

    private func set(_ values: [(name: String, value: String)], timeout: Duration) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.appendArray(of: .text) { names in
            for (name, _) in values { names.append(text: name) }
        }
        parameters.appendArray(of: .text) { texts in
            for (_, value) in values { texts.append(text: value) }
        }
        _ = try await execute(
            sql: "SELECT set_config(name, value, false) FROM unnest($1, $2) AS given (name, value)",
            parameters, timeout: timeout)
    }
}

/// One attempt to connect: looking up names, then libpq's own states, each step when the socket is ready for it.
///
/// Why `@unchecked Sendable`: confined to its loop's thread.
private final class ConnectAttempt: @unchecked Sendable {
    private let loop: Loop
    let deadline: MonotonicInstant
    private var timer: LoopTimer?
    private var watch: Watch?
    private var handle: ConnectionHandle?
    private var continuation: UnsafeContinuation<Result<HandedOver, PostgresError>, Never>?

    /// The handle leaves this object for good.
    struct HandedOver: @unchecked Sendable {
        let handle: ConnectionHandle
    }

    init(on loop: Loop, deadline: MonotonicInstant) {
        self.loop = loop
        self.deadline = deadline
    }

    func run(_ parameters: [ConnectionParameter]) async -> Result<ConnectionHandle, PostgresError> {
        let result = await withUnsafeContinuation { continuation in
            self.continuation = continuation
            timer = loop.schedule(at: deadline) { self.fail("no answer within the time for connecting") }
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
        // The deadline may have come during the lookup.
        guard continuation != nil else { return }
        do throws(PostgresError) {
            handle = try ConnectionHandle(connectingWith: parameters)
            // libpq: behave at first as if the last poll had asked to write.
            wait(for: .writable)
        } catch {
            finish(.failure(error))
        }
    }

    private func step() {
        guard let handle else { return }
        // libpq may close the socket and open another one, perhaps of the same number, at any step.
        watch?.cancel()
        watch = nil
        switch handle.pollConnection() {
        case .wantsToRead: wait(for: .readable)
        case .wantsToWrite: wait(for: .writable)
        case .failed: fail(handle.errorMessage)
        case .connected:
            self.handle = nil
            finish(.success(HandedOver(handle: handle)))
        }
    }

    private func wait(for interest: Readiness) {
        guard let descriptor = handle?.descriptor else { return fail("the socket is closed") }
        do {
            watch = try loop.watch(descriptor, interest) { [self] _ in step() }
        } catch {
            fail("\(error)")
        }
    }

    private func fail(_ reason: String) {
        finish(.failure(.connectionFailed(reason: reason)))
    }

    private func finish(_ result: Result<HandedOver, PostgresError>) {
        guard let continuation else { return }
        self.continuation = nil
        watch?.cancel()
        watch = nil
        timer?.cancel()
        timer = nil
        handle?.close()
        handle = nil
        continuation.resume(returning: result)
    }
}
