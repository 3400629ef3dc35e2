public import Postgres
public import Values

/// A job and the token of the lease under which an attempt of it runs.
public struct HeldLease: Hashable, Sendable {
    public let id: UUID
    public let token: Int64

    public init(id: UUID, token: Int64) {
        self.id = id
        self.token = token
    }
}

extension HeldLease: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        token = try columns.next()
    }
}

/// Leases as a batch. In the order of their ids, so that two statements on several leases never wait for each other in
/// a circle.
enum LeaseColumns: BatchColumns {
    static let columns = ColumnBatch<HeldLease>([
        .uuid("id") { $0.id },
        .int8("token") { $0.token },
    ])

    static func batch(_ leases: [HeldLease]) -> Batch<LeaseColumns> {
        Batch(leases.sorted { $0.id < $1.id })
    }
}
