import EventLoop
import Glibc
import Synchronization

/// Starts the programs of one test.
public final class Services: Sendable {
    private let started = Mutex<[ServiceProcess]>([])

    /// Starts one of our binaries, or another program, with only `environment` and PATH.
    ///
    /// Throws `BuiltProducts.Missing` if there is no such program, and `SystemError` if it cannot be started.
    public func start(
        _ name: String, _ arguments: [String] = [], environment: [String: String] = [:],
        workingDirectory: String? = nil
    ) async throws -> ServiceProcess {
        let program = try BuiltProducts.find(name)
        if name.hasPrefix("jobqueue-") { try UnitTests.cancel(becauseOf: name) }
        let path = getenv("PATH").map { ["PATH": String(cString: $0)] } ?? [:]
        let spec = ProcessSpec(
            executable: program, arguments: [name] + arguments,
            environment: path.merging(environment) { _, given in given }, workingDirectory: workingDirectory)
        let service = try await TestLoop.run { () throws(SystemError) in try ServiceProcess(name, spec) }
        started.withLock { $0.append(service) }
        return service
    }

    fileprivate func endAll() async {
        for service in started.withLock({ $0 }).reversed() { await service.end() }
    }
}

/// Runs `body`, then kills every program that it started, also after an error: none outlives its test.
///
/// The programs run until the end of `body`, also those without a reference.
public func withServices<Value>(
    isolation: isolated (any Actor)? = #isolation, _ body: (Services) async throws -> Value
) async throws -> Value {
    let services = Services()
    do {
        let value = try await body(services)
        await services.endAll()
        return value
    } catch {
        await services.endAll()
        throw error
    }
}
