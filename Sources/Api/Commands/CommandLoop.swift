internal import Configuration
internal import EventLoop
internal import Synchronization

/// Runs a command of `jobqueue-api` on a loop of its own: what it did goes to standard output, why it could not to
/// standard error.
struct CommandLoop: Sendable {
    /// As it stands behind `jobqueue-api`.
    let name: String

    /// Runs `body` on the calling thread, and returns how the process ends: 1 after an error or a signal. What is under
    /// way in PostgreSQL then is rolled back, since the connection goes.
    func run(_ body: @escaping @Sendable (Loop) async throws -> Int32) -> Int32 {
        let status = Mutex<Int32>(1)
        do {
            let loop = try Loop(label: name)
            try Signals.handle([Signals.terminate, Signals.interrupt], on: loop) { _ in
                report("interrupted")
                loop.stop()
            }
            loop.spawn {
                do {
                    let result = try await body(loop)
                    status.withLock { $0 = result }
                } catch {
                    report("\(error)")
                }
                loop.stop()
            }
            loop.run()
        } catch {
            report("\(error)")
        }
        return status.withLock { $0 }
    }

    func report(_ text: String) {
        StandardStream.error.write("jobqueue-api \(name): \(text)\n")
    }
}
