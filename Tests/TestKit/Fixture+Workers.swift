import Values
import Workers

extension Fixture {
    /// A worker that joins, and counts with its first heartbeat.
    /// - Parameter counters: a JSON object of series and their values.
    public func joinWorker(_ name: String, counting counters: String = "{}") async throws -> Int64 {
        let number = UInt64.random(in: 1...UInt64.max)
        let id = try await workers.join(
            WorkerDescription(
                incarnation: UUID(high: number, low: number), name: name, host: "host", version: "0", queues: nil,
                concurrency: 1))
        guard try await workers.heartbeat(id: id, running: 2, counters: Array(counters.utf8)) else {
            throw MissingWorker(id: id)
        }
        return id
    }

    /// The sum of each series over all workers.
    public func workerSeries() async throws -> [String: Double] {
        Dictionary(uniqueKeysWithValues: try await workers.series().map { ($0.series, $0.value) })
    }
}

/// A worker that has just joined is not alive.
public struct MissingWorker: Error {
    public let id: Int64
}
