import Synchronization

/// A statement that is prepared once on each connection, in the same round trip as its first execution.
///
/// To be created as a `static let` beside the code that executes it: each instance takes a slot on every connection.
/// The generic arguments are the Swift types of `$1`, `$2` and so on, from which the types of PostgreSQL follow. A call
/// with values of these types returns what `execute` accepts:
///
/// ```swift
/// private static let cancel = Statement<[UUID], Actor>("cancel_waiting_jobs", "...", isIdempotent: true)
/// let rows = try await pool.execute(Self.cancel(ids, actor))
/// ```
public struct Statement<each Input: StatementInput>: Sendable {
    public let definition: StatementDefinition

    /// - Parameters:
    ///   - name: the name in `pg_prepared_statements`; unique in the process. 1 to 48 bytes: PostgreSQL truncates names
    ///     at 63 bytes, and a generation may be appended.
    ///   - isIdempotent: whether two executions have the effect of one (reads; statements fenced by a token or a unique
    ///     id), so that a pool may repeat it on another connection.
    public init(_ name: String, _ sql: SQLFragment, isIdempotent: Bool = false) {
        var types: [PostgresType] = []
        repeat types.append(contentsOf: (each Input).parameterTypes)
        definition = StatementDefinition(name, sql, types, isIdempotent: isIdempotent)
    }

    /// The same with the types as arguments, so that a statement without parameters needs no generic arguments.
    public init(
        _ name: String, _ sql: SQLFragment, _ inputs: repeat (each Input).Type, isIdempotent: Bool = false
    ) {
        self.init(name, sql, isIdempotent: isIdempotent)
    }

    /// The statement with values for its parameters.
    @inlinable
    public func callAsFunction(_ inputs: repeat each Input) -> BoundStatement {
        var parameters = Parameters()
        repeat (each inputs).append(to: &parameters)
        return BoundStatement(definition, parameters)
    }
}

/// A statement and the values for one execution of it.
public struct BoundStatement: Sendable {
    let definition: StatementDefinition
    let parameters: Parameters

    @usableFromInline
    init(_ definition: StatementDefinition, _ parameters: consuming Parameters) {
        assert(
            parameters.slots.map(\.type) == definition.parameterTypes,
            "statement \(definition.name) takes other types than \(parameters.slots.map(\.type))")
        self.definition = definition
        self.parameters = parameters
    }

    public var isIdempotent: Bool { definition.isIdempotent }
}

/// The part of a statement that does not depend on its Swift types.
public final class StatementDefinition: Sendable {
    public let name: String
    public let sql: String
    public let parameterTypes: [PostgresType]
    let isIdempotent: Bool
    /// Index in a connection's table of prepared statements.
    let slot: Int

    private static let slotsTaken = Atomic<Int>(0)

    /// - Parameters:
    ///   - name: 1 to 48 bytes: PostgreSQL truncates names at 63 bytes, and a generation may be appended.
    ///   - parameterTypes: the types of `$1`, `$2` and so on.
    init(_ name: String, _ sql: SQLFragment, _ parameterTypes: [PostgresType], isIdempotent: Bool) {
        precondition(!name.isEmpty && name.utf8.count <= 48, "a statement's name has 1 to 48 bytes")
        precondition(parameterTypes.count <= 65_535, "PostgreSQL takes at most 65,535 parameters")
        self.name = name
        self.sql = sql.text
        self.parameterTypes = parameterTypes
        self.isIdempotent = isIdempotent
        slot = Self.slotsTaken.wrappingAdd(1, ordering: .relaxed).oldValue
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
    func usableGeneration(of statement: StatementDefinition) -> Int? {
        guard statement.slot < generations.count, generations[statement.slot] > 0 else { return nil }
        return generations[statement.slot]
    }

    /// Returns the generation for a new preparation, which counts as done, because the server works in order.
    mutating func prepare(_ statement: StatementDefinition) -> Int {
        if statement.slot >= generations.count {
            generations.append(contentsOf: repeatElement(0, count: statement.slot + 1 - generations.count))
        }
        let next = abs(generations[statement.slot]) + 1
        generations[statement.slot] = next
        return next
    }

    /// Invalidates a preparation that failed or whose plan is stale. No effect if the statement has been prepared
    /// again.
    mutating func invalidate(_ statement: StatementDefinition, generation: Int) {
        guard usableGeneration(of: statement) == generation else { return }
        generations[statement.slot] = -generation
    }
}
