import Synchronization

/// A statement that is prepared once on each connection, in the same round trip as its first execution.
///
/// To be created as a `static let` beside the code that executes it: each instance takes a slot on every connection.
public final class Statement: Sendable {
    /// Name in `pg_prepared_statements`; unique in the process.
    public let name: String
    public let sql: String
    public let parameterTypes: [PostgresType]
    /// Whether two executions have the effect of one (reads; statements fenced by a token or a unique id), so that a
    /// pool may repeat it on another connection.
    public let isIdempotent: Bool

    /// Index in a connection's table of prepared statements.
    let slot: Int

    private static let slotsTaken = Atomic<Int>(0)

    /// - Parameters:
    ///   - name: 1 to 48 bytes: PostgreSQL truncates names at 63 bytes, and a generation may be appended.
    ///   - parameterTypes: the types of `$1`, `$2` and so on.
    public init(
        _ name: String, _ sql: SQLFragment, _ parameterTypes: [PostgresType] = [], isIdempotent: Bool = false
    ) {
        precondition(!name.isEmpty && name.utf8.count <= 48, "a statement name must have 1 to 48 bytes")
        precondition(parameterTypes.count <= 65_535, "a statement can have up to 65,535 parameters")
        self.name = name
        self.sql = sql.text
        self.parameterTypes = parameterTypes
        self.isIdempotent = isIdempotent
        slot = Statement.slotsTaken.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// The statement's name on the server after `generation` preparations.
    ///
    /// A name is never used twice on one connection, so that executions in flight with an old name fail instead of
    /// using another plan.
    func serverName(generation: Int) -> String {
        generation <= 1 ? name : "\(name).\(generation)"
    }
}

/// The prepared statements of one connection, with the generations of their names.
struct PreparedStatements {
    /// Generation by slot; 0 if never prepared, negative if invalidated.
    private var generations: [Int] = []

    /// The generation with which the statement can be executed; nil if it must be prepared first.
    func usableGeneration(of statement: Statement) -> Int? {
        guard statement.slot < generations.count, generations[statement.slot] > 0 else { return nil }
        return generations[statement.slot]
    }

    /// Returns the generation for a new preparation, which counts as done, because the server works in order.
    mutating func prepare(_ statement: Statement) -> Int {
        if statement.slot >= generations.count {
            generations.append(contentsOf: repeatElement(0, count: statement.slot + 1 - generations.count))
        }
        let next = abs(generations[statement.slot]) + 1
        generations[statement.slot] = next
        return next
    }

    /// Invalidates a preparation that failed or whose plan is stale. No effect if the statement has been prepared
    /// again.
    mutating func invalidate(_ statement: Statement, generation: Int) {
        guard usableGeneration(of: statement) == generation else { return }
        generations[statement.slot] = -generation
    }
}
