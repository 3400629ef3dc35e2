import Synchronization

/// A statement with its parameters' types, which is prepared once on each connection.
///
/// Make one as a `static let` beside the code that runs it: each takes a slot on every connection. The generic
/// arguments are the Swift types of `$1`, `$2`, ..., from which the types of PostgreSQL follow; calling the statement
/// with values of these types gives what `execute` takes:
///
/// ```swift
/// private static let cancel = Statement<[UUID], Actor>("cancel_waiting_jobs", "...", isIdempotent: true)
/// let rows = try await pool.execute(Self.cancel(ids, actor))
/// ```
public struct Statement<each Input: StatementInput>: Sendable {
    let definition: StatementDefinition

    /// - Parameters:
    ///   - name: at most 48 bytes, since PostgreSQL cuts names at 63 and a generation may be added. Unique in the
    ///     process; the server's views show it (`pg_prepared_statements.name`).
    ///   - isIdempotent: running it twice is as good as once (reads; statements fenced by a token or a unique id): a
    ///     pool may repeat it on another connection.
    public init(_ name: String, _ sql: SQLFragment, isIdempotent: Bool = false) {
        var types: [PostgresType] = []
        repeat types += (each Input).parameterTypes
        definition = StatementDefinition(name, sql, types, isIdempotent: isIdempotent)
    }

    /// The same with the types as arguments, so that a statement without parameters needs no generic arguments.
    public init(
        _ name: String, _ sql: SQLFragment, _ inputs: repeat (each Input).Type, isIdempotent: Bool = false
    ) {
        self.init(name, sql, isIdempotent: isIdempotent)
    }

    public var name: String { definition.name }
    public var sql: String { definition.sql }
    public var parameterTypes: [PostgresType] { definition.parameterTypes }

    /// The statement with values for its parameters.
    public func callAsFunction(_ inputs: repeat each Input) -> BoundStatement {
        var parameters = Parameters()
        repeat (each inputs).append(to: &parameters)
        assert(
            parameters.slots.map(\.type) == parameterTypes,
            "statement \(name) takes \(parameterTypes), and its values are \(parameters.slots.map(\.type))")
        return BoundStatement(definition: definition, parameters: parameters)
    }
}

/// A statement and the values for one execution of it.
public struct BoundStatement: Sendable {
    let definition: StatementDefinition
    let parameters: Parameters

    public var isIdempotent: Bool { definition.isIdempotent }
}

/// What a connection knows a statement by.
final class StatementDefinition: Sendable {
    let name: String
    let sql: String
    let parameterTypes: [PostgresType]
    let isIdempotent: Bool
    /// Position in a connection's table of prepared statements.
    let slot: Int

    private static let slotsTaken = Atomic<Int>(0)

    init(_ name: String, _ sql: SQLFragment, _ parameterTypes: [PostgresType], isIdempotent: Bool) {
        precondition(!name.isEmpty && name.utf8.count <= 48, "a statement's name has 1 to 48 bytes")
        precondition(parameterTypes.count <= 65_535, "PostgreSQL takes at most 65,535 parameters")
        self.name = name
        self.sql = sql.text
        self.parameterTypes = parameterTypes
        self.isIdempotent = isIdempotent
        slot = Self.slotsTaken.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// The statement's name on the server after it had to be prepared again `generation - 1` times.
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
    func usableGeneration(of statement: StatementDefinition) -> Int? {
        guard statement.slot < generations.count, generations[statement.slot] > 0 else { return nil }
        return generations[statement.slot]
    }

    /// Takes the name for a new preparation, which counts as done: the server works in order.
    mutating func prepare(_ statement: StatementDefinition) -> Int {
        if statement.slot >= generations.count {
            generations.append(contentsOf: repeatElement(0, count: statement.slot + 1 - generations.count))
        }
        let next = abs(generations[statement.slot]) + 1
        generations[statement.slot] = next
        return next
    }

    /// The preparation did not happen, or the plan is no longer valid. Nothing changes if the statement has
    /// been prepared again since.
    mutating func invalidate(_ statement: StatementDefinition, generation: Int) {
        guard usableGeneration(of: statement) == generation else { return }
        generations[statement.slot] = -generation
    }
}
