internal import HTTP
internal import Pauses

/// The parameters of `GET /api/worker/control-history`.
struct PauseHistoryQuery {
    static let limitRange = 1...500
    static let limitStandard = 50

    enum Parameter: String, CaseIterable {
        case scope, limit, cursor
    }

    var scope: PauseScope?
    var limit = Self.limitStandard
    /// Only changes before this version.
    var before = Int64.max

    /// Throws 400 with all errors.
    init(_ query: Query) throws(Problem) {
        var reader = QueryReader(query)
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .scope: scope = reader.value(PauseScope.requirement, PauseScope.init(input:))
            case .limit: limit = reader.integer(in: Self.limitRange) ?? limit
            case .cursor: before = reader.cursor(Self.version) ?? before
            }
        }
        try reader.finish()
    }

    private static func version(of cursor: String) -> Int64? {
        QueryReader.integer(ofDigits: cursor.utf8).flatMap { $0 > 0 ? Int64($0) : nil }
    }
}
