public import Postgres

/// A request that a running job stops, as the worker that runs it receives it.
public struct CancelRequest: Hashable, Sendable {
    public let lease: HeldLease
    /// From the request to the use of force, in seconds.
    public let graceSeconds: Int32

    public init(lease: HeldLease, graceSeconds: Int32) {
        self.lease = lease
        self.graceSeconds = graceSeconds
    }
}

extension CancelRequest: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        lease = try HeldLease(&columns)
        graceSeconds = try columns.next()
    }
}
