/// A five-character error code (PostgreSQL documentation, appendix A).
public struct SQLState: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public init(stringLiteral value: String) {
        rawValue = value
    }

    public var description: String { rawValue }

    public static let featureNotSupported: SQLState = "0A000"
    public static let stringDataRightTruncation: SQLState = "22001"
    public static let characterNotInRepertoire: SQLState = "22021"
    public static let invalidTextRepresentation: SQLState = "22P02"
    public static let untranslatableCharacter: SQLState = "22P05"
    public static let notNullViolation: SQLState = "23502"
    public static let foreignKeyViolation: SQLState = "23503"
    public static let uniqueViolation: SQLState = "23505"
    public static let checkViolation: SQLState = "23514"
    /// The server accepts no writes, because it is or has become a standby.
    public static let readOnlyTransaction: SQLState = "25006"
    public static let inFailedTransaction: SQLState = "25P02"
    public static let invalidStatementName: SQLState = "26000"
    public static let serializationFailure: SQLState = "40001"
    public static let deadlockDetected: SQLState = "40P01"
    public static let undefinedTable: SQLState = "42P01"
    public static let undefinedSchema: SQLState = "3F000"
    public static let diskFull: SQLState = "53100"
    public static let tooManyConnections: SQLState = "53300"
    public static let statementTooComplex: SQLState = "54001"
    public static let lockNotAvailable: SQLState = "55P03"
    public static let queryCanceled: SQLState = "57014"
    public static let adminShutdown: SQLState = "57P01"

    /// The error class: the first two characters.
    public var category: String { String(rawValue.prefix(2)) }

    /// Whether the transaction can succeed if it is repeated.
    public var isRetryableConflict: Bool {
        self == .serializationFailure || self == .deadlockDetected
    }

    /// Whether the data of the statement caused the error, so that a repetition fails again: data exceptions (class
    /// 22), integrity constraints (23), limits (54). Other errors do not depend on the data and may be temporary.
    public var concernsData: Bool {
        ["22", "23", "54"].contains(category)
    }

    /// Whether the server is out of resources, starting or stopping (classes 08, 53 and 58, and codes 57P..).
    public var isUnavailability: Bool {
        switch category {
        case "08", "53", "58": true
        default: rawValue.hasPrefix("57P")
        }
    }
}
