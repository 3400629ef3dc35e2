internal import Postgres

/// The pause gate: how a pause, or a new limit of a queue, keeps every lease out from its commit on.
///
/// Three parts act together:
///
/// - The view `leasable_subqueue` (`0010_pauses.sql`) leaves out the subqueues of a paused queue or type. Both lease
///   statements read it, so a pause holds whatever a worker knows of it.
/// - The table `lease_gate` (`0001_queues.sql`) is empty. Both lease statements name it in a sub-select with
///   `FOR KEY SHARE`, which has no row to lock, and takes the table's lock in ROW SHARE mode: leases do not wait for
///   each other.
/// - `change_pause_state` and `configure_queue` take that lock in EXCLUSIVE mode first. They wait for the lease
///   statements under way; those that begin later wait for their commit, and see it, since a statement takes its
///   snapshot after the locks of the tables that it names.
///
/// So a lease of a paused scope never commits after the pause. The lock of a statement is taken when it is parsed or
/// its plan is chosen, before the snapshot: hence the sub-select in the statement itself, and not inside a function
/// that it calls.
enum PauseGate {
    /// A condition that is always true.
    static let condition: SQLFragment = "NOT EXISTS (SELECT FROM lease_gate FOR KEY SHARE)"
}
