/// The object identifier (OID) of a PostgreSQL type. The OIDs of built-in types are the same in all versions
/// (`src/include/catalog/pg_type.dat`).
public struct PostgresType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let bool = PostgresType(rawValue: 16)
    public static let bytea = PostgresType(rawValue: 17)
    public static let int8 = PostgresType(rawValue: 20)
    public static let int2 = PostgresType(rawValue: 21)
    public static let int4 = PostgresType(rawValue: 23)
    public static let text = PostgresType(rawValue: 25)
    public static let json = PostgresType(rawValue: 114)
    public static let float8 = PostgresType(rawValue: 701)
    public static let timestamptz = PostgresType(rawValue: 1184)
    public static let uuid = PostgresType(rawValue: 2950)

    public static let boolArray = PostgresType(rawValue: 1000)
    public static let byteaArray = PostgresType(rawValue: 1001)
    public static let int2Array = PostgresType(rawValue: 1005)
    public static let int4Array = PostgresType(rawValue: 1007)
    public static let textArray = PostgresType(rawValue: 1009)
    public static let int8Array = PostgresType(rawValue: 1016)
    public static let float8Array = PostgresType(rawValue: 1022)
    public static let timestamptzArray = PostgresType(rawValue: 1185)
    public static let jsonArray = PostgresType(rawValue: 199)
    public static let uuidArray = PostgresType(rawValue: 2951)

    // Only in results; read as text.
    static let name = PostgresType(rawValue: 19)
    static let unknown = PostgresType(rawValue: 705)
    static let bpchar = PostgresType(rawValue: 1042)
    static let varchar = PostgresType(rawValue: 1043)

    /// The element type of a supported array type; nil for other types.
    var element: PostgresType? {
        switch self {
        case .boolArray: .bool
        case .byteaArray: .bytea
        case .int2Array: .int2
        case .int4Array: .int4
        case .int8Array: .int8
        case .float8Array: .float8
        case .textArray: .text
        case .jsonArray: .json
        case .uuidArray: .uuid
        case .timestamptzArray: .timestamptz
        default: nil
        }
    }

    /// Whether the binary format of the type is its text in UTF-8.
    var isText: Bool {
        switch self {
        case .text, .varchar, .json, .name, .bpchar, .unknown: true
        default: false
        }
    }
}

extension PostgresType: CustomStringConvertible {
    public var description: String {
        if let element { return "\(element)[]" }
        switch self {
        case .bool: return "bool"
        case .bytea: return "bytea"
        case .int2: return "int2"
        case .int4: return "int4"
        case .int8: return "int8"
        case .float8: return "float8"
        case .text: return "text"
        case .json: return "json"
        case .uuid: return "uuid"
        case .timestamptz: return "timestamptz"
        case .name: return "name"
        case .varchar: return "varchar"
        case .bpchar: return "char"
        default: return "type \(rawValue)"
        }
    }
}
