import Synchronization

/// A statement that is prepared once on each connection, in the same round trip as its first execution there.
///
/// Make one as a `static let` beside the code that runs it: each instance takes a slot on every connection.
public final class Statement: Sendable {
    /// What the server's views call it (`pg_prepared_statements.name`); unique in the process.
    public let name: String
    public let sql: String
    public let parameterTypes: [PostgresType]
    /// Running it twice is as good as once (reads; statements fenced by a token or a unique id): a pool may
    /// repeat it on another connection.
    public let isIdempotent: Bool

    /// Position in a connection's table of prepared statements.
    let slot: Int

    private static let slotsTaken = Atomic<Int>(0)

    /// - Parameters:
    ///   - name: at most 48 bytes, since PostgreSQL cuts names at 63 and a generation may be added.
    ///   - parameterTypes: the types of `$1`, `$2`, ...
    public init(
        _ name: String, _ sql: SQLFragment, _ parameterTypes: [PostgresType] = [], isIdempotent: Bool = false
    ) {
        precondition(!name.isEmpty && name.utf8.count <= 48, "a statement's name has 1 to 48 bytes")
        precondition(parameterTypes.count <= 65_535, "PostgreSQL takes at most 65,535 parameters")
        self.name = name
        self.sql = sql.text
        self.parameterTypes = parameterTypes
        self.isIdempotent = isIdempotent
        slot = Statement.slotsTaken.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// What the statement is called on the server after it had to be prepared anew `generation - 1` times.
    ///
    /// A name is never used twice on one connection, so that statements in flight which still use the old one
    /// fail cleanly instead of meeting another plan.
    func serverName(generation: Int) -> String {
        generation <= 1 ? name : "\(name).\(generation)"
    }
}

/// Which statements one connection has prepared, and under which generation of their names.
struct PreparedStatements {
    /// Generation by slot; 0 = never prepared, negative = prepared once, no longer usable.
    private var generations: [Int] = []

    /// The generation under which the statement can be executed now; nil if it must be prepared first.
    func usableGeneration(of statement: Statement) -> Int? {
        guard statement.slot < generations.count, generations[statement.slot] > 0 else { return nil }
        return generations[statement.slot]
    }

    /// Takes the name for a new preparation, which counts as done: the server works in order.
    mutating func prepare(_ statement: Statement) -> Int {
        if statement.slot >= generations.count {
            generations.append(contentsOf: repeatElement(0, count: statement.slot + 1 - generations.count))
        }
        let next = abs(generations[statement.slot]) + 1
        generations[statement.slot] = next
        return next
    }

    /// The preparation did not happen, or the plan is no longer valid. Nothing changes if the statement has
    /// been prepared anew since.
    mutating func invalidate(_ statement: Statement, generation: Int) {
        guard usableGeneration(of: statement) == generation else { return }
        generations[statement.slot] = -generation
    }
}
