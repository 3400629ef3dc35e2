internal import EventLoop
internal import Service
internal import Synchronization
internal import Telemetry
internal import Values

/// The file that tells the next worker with the same file that this one has ended (`WORKER_LOCK_FILE`).
///
/// The file stays locked as long as this worker or a program that it started runs (`LockedFile`). So a worker that gets
/// the lock knows that the incarnations in the file have ended, and nobody has to wait until their heartbeats are
/// missed. This is what happens when a container is killed and restarted in its pod, whose `/tmp` outlives it.
///
/// The file has one incarnation a line, the latest first. Earlier ones may stay: no incarnation ever recurs.
final class InstanceLock: ProcessService {
    private struct Held {
        let file: LockedFile
        var incarnations: [UUID]
    }

    let name = "instance lock"
    private let path: String?
    private let first: UUID
    private let process: ProcessContext
    private let held = Mutex<Held?>(nil)
    private let earlier = Mutex<[UUID]>([])

    /// More than a worker has that restarts again and again while PostgreSQL is down.
    private static let incarnationsMax = 100
    private static let lineBytes = 37
    /// For the programs of a killed worker to end.
    private static let waitMax = Duration.seconds(3)

    /// - Parameters:
    ///   - path: nil: nobody can tell at once that this worker has ended.
    ///   - first: the first incarnation of this worker.
    init(_ path: String?, first: UUID, in process: ProcessContext) {
        self.path = path
        self.first = first
        self.process = process
    }

    /// Incarnations that have ended, with their programs. Empty without the lock.
    var ended: [UUID] { earlier.withLock { $0 } }

    func start() async {
        guard let path else { return }
        do throws(SystemError) {
            let end = MonotonicInstant.now() + Self.waitMax
            while try !take(path) {
                guard .now() < end else {
                    return process.logger.error(
                        "another process has locked WORKER_LOCK_FILE; continuing without it", ["path": .string(path)])
                }
                try? await process.loop.sleep(for: .milliseconds(50))
            }
        } catch {
            process.logger.error("cannot use WORKER_LOCK_FILE; continuing without it", ["error": .error(error)])
        }
    }

    /// The lock ends with the process.
    func stop() async {}

    private func take(_ path: String) throws(SystemError) -> Bool {
        guard let file = try LockedFile.lock(path) else { return false }
        let bytes = try file.bytes(atMost: Self.incarnationsMax * Self.lineBytes)
        let found = bytes.split(separator: UInt8(ascii: "\n")).compactMap { UUID(ascii: $0) }
        earlier.withLock { $0 = found }
        held.withLock { $0 = Held(file: file, incarnations: found) }
        try add(first)
        return true
    }

    /// Adds an incarnation of this worker. Before it leases anything.
    func add(_ incarnation: UUID) throws(SystemError) {
        try held.withLock { held throws(SystemError) in
            guard let file = held?.file else { return }
            held?.incarnations.insert(incarnation, at: 0)
            let lines = (held?.incarnations ?? []).prefix(Self.incarnationsMax).map { "\($0)\n" }.joined()
            try file.replace(with: Array(lines.utf8))
        }
    }
}
