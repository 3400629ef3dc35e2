import CLibPQ

/// Owns one `PGresult`, and clears it when nothing refers to it any longer.
///
/// A result is never changed once libpq has handed it over, and its accessors take no lock: it may be read
/// from any thread (libpq documentation, "Behavior in Threaded Programs").
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
        /// An error that libpq itself has made (those have no SQLSTATE), or an answer to COPY.
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

    /// Rows that an INSERT, UPDATE, DELETE, MERGE or SELECT has touched; 0 for every other command.
    var affectedRowCount: Int {
        var count = 0
        var digit = PQcmdTuples(pointer)!
        while case let value = UInt8(bitPattern: digit.pointee), (0x30...0x39).contains(value) {
            count = count * 10 + Int(value - 0x30)
            digit += 1
        }
        return count
    }

    /// The command's tag, such as `COMMIT` or `INSERT 0 3`.
    var commandTag: String { String(cString: PQcmdStatus(pointer)) }

    /// What the statement calls a column; `?column?` where it gives no name (`PQfname`).
    func columnName(_ column: Int) -> String {
        PQfname(pointer, Int32(column)).map { String(cString: $0) } ?? "\(column + 1)"
    }

    func columnType(_ column: Int) -> PostgresType {
        PostgresType(rawValue: PQftype(pointer, Int32(column)))
    }

    /// The bytes of a value, valid while this object lives; nil for NULL. The caller has checked the range.
    func value(row: Int, column: Int) -> UnsafeRawBufferPointer? {
        let row = Int32(row)
        let column = Int32(column)
        let length = PQgetlength(pointer, row, column)
        if length == 0 && PQgetisnull(pointer, row, column) == 1 { return nil }
        return UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: Int(length))
    }

    /// The error that this result reports.
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

    /// libpq's text of the error, in one line.
    var errorText: String { oneLine(PQresultErrorMessage(pointer)) }

    private func errorField(_ field: ErrorField) -> String? {
        PQresultErrorField(pointer, Int32(field.rawValue.value)).map { String(cString: $0) }
    }
}

/// The fields of an error, by the letters of the protocol (`PG_DIAG_...` in `postgres_ext.h`, which Swift does not
/// import since they are character constants).
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

/// libpq ends its messages with a newline and puts several on lines of their own.
func oneLine(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "out of memory" }
    return String(cString: text).split(whereSeparator: \.isNewline).joined(separator: "; ")
}
