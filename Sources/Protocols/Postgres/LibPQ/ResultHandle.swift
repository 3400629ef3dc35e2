import CLibPQ

/// Owns a `PGresult` and clears it with the last reference.
///
/// A result is immutable after libpq has returned it, so it may be read from any thread (libpq documentation, "Behavior
/// in Threaded Programs").
final class ResultHandle: @unchecked Sendable {
    private let pointer: OpaquePointer
    let rowCount: Int
    let columnCount: Int

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
        rowCount = Int(PQntuples(pointer))
        columnCount = Int(PQnfields(pointer))
    }

    deinit { PQclear(pointer) }

    enum Outcome {
        case success, serverError, aborted, sync
        /// An error created by libpq, which has no SQLSTATE, or a response to COPY.
        case other
    }

    var outcome: Outcome {
        switch PQresultStatus(pointer) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: .success
        case PGRES_PIPELINE_SYNC: .sync
        case PGRES_PIPELINE_ABORTED: .aborted
        case PGRES_FATAL_ERROR where errorField(.sqlState) != nil: .serverError
        default: .other
        }
    }

    /// Number of rows affected or returned by INSERT, UPDATE, DELETE, MERGE or SELECT; 0 for other commands.
    var affectedRowCount: Int {
        var count = 0
        var digit = PQcmdTuples(pointer)!
        while case let value = UInt8(bitPattern: digit.pointee), (0x30...0x39).contains(value) {
            count = count * 10 + Int(value - 0x30)
            digit += 1
        }
        return count
    }

    /// The command tag, such as `COMMIT` or `INSERT 0 3`.
    var commandTag: String { String(cString: PQcmdStatus(pointer)) }

    /// What the statement calls a column; `?column?` where it gives no name (`PQfname`).
    func columnName(_ column: Int) -> String {
        PQfname(pointer, Int32(column)).map { String(cString: $0) } ?? "\(column + 1)"
    }

    func columnType(_ column: Int) -> PostgresType {
        PostgresType(rawValue: PQftype(pointer, Int32(column)))
    }

    /// The bytes of a value, valid during the lifetime of this object; nil for NULL. The caller checks the range.
    func value(row: Int, column: Int) -> UnsafeRawBufferPointer? {
        let row = Int32(row)
        let column = Int32(column)
        let length = PQgetlength(pointer, row, column)
        if length == 0 && PQgetisnull(pointer, row, column) == 1 { return nil }
        return UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: Int(length))
    }

    /// The error of this result.
    var serverError: ServerError {
        ServerError(
            severity: errorField(.severity) ?? "ERROR",
            sqlState: SQLState(rawValue: errorField(.sqlState) ?? "XX000"),
            message: errorField(.message) ?? errorText,
            detail: errorField(.detail),
            hint: errorField(.hint),
            schema: errorField(.schema),
            table: errorField(.table),
            column: errorField(.column),
            constraint: errorField(.constraint),
            position: errorField(.position).flatMap { Int($0) },
            sourceFunction: errorField(.sourceFunction))
    }

    /// libpq's error message in one line.
    var errorText: String { oneLine(PQresultErrorMessage(pointer)) }

    private func errorField(_ field: ErrorField) -> String? {
        PQresultErrorField(pointer, Int32(field.rawValue.value)).map { String(cString: $0) }
    }
}

/// The fields of an error by their letters in the protocol (`PG_DIAG_...` in `postgres_ext.h`; character constants,
/// which Swift does not import).
private enum ErrorField: UnicodeScalar {
    case severity = "V"
    case sqlState = "C"
    case message = "M"
    case detail = "D"
    case hint = "H"
    case schema = "s"
    case table = "t"
    case column = "c"
    case constraint = "n"
    case position = "P"
    case sourceFunction = "R"
}

/// A message of libpq in one line. libpq ends each message with a newline.
func oneLine(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "out of memory" }
    return String(cString: text).split(whereSeparator: \.isNewline).joined(separator: "; ")
}
