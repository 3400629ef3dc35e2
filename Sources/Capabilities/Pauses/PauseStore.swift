public import Postgres

// Pauses: stopping leases of everything, of a queue or of a type, and resuming them.
//
// A *scope* is `all`, a queue or a type. A job is held back while any scope that contains it is paused. The last change
// of each scope is its state; all changes share one sequence of *versions* without gaps, so that one number says how
// far a worker is. Every change is in a history whose rows are chained by hashes (`HistoryCheck`).
//
// *The gate.* The truth is in PostgreSQL alone. Every lease statement reads the pauses itself, and a change takes a
// lock that excludes leases (`lease_gate`): no lease of a paused scope commits after the change has, whatever workers
// know.
//
// *Acknowledgement.* A change notifies the workers. A worker applies it: it releases leased jobs of the scope that it
// has not started, and asks for none while everything is paused. Then it records the version. A call that waits for
// the workers ends when every live worker has recorded it (`AcknowledgementWaiter`).
//
// *Failures.* A lost notification: workers poll, and a waiting call reads once in a while. A worker that dies: it is no
// longer live when its heartbeat expires, and nothing waits for it. The calling process dies: the change is committed
// or was never made. PostgreSQL fails: no jobs are leased either; a call whose change was committed says so
// (`PauseOperation.Interrupted`). A pause with an end: it is no longer in force from that instant on; the reaper only
// records it.

/// The statements on the pause state, one file for each verb.
public struct PauseStore: Sendable {
    let pool: ConnectionPool

    /// - Parameter pool: with the profile `.general`.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// The channel that a change notifies. The payload is the version.
    public static func channel(schema: String) -> String { "\(schema)_pause_state" }
}
