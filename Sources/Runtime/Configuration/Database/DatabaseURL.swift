/// The address of a PostgreSQL database as a libpq URI. It may contain a password, so its description is redacted.
public struct DatabaseURL: Sendable {
    private let secret: Secret
    public let description: String

    static let accepted = "postgresql://user:password@host:port/database (also postgres:// and postgresql+asyncpg://)"
    private static let schemes = ["postgresql://", "postgres://", "postgresql+asyncpg://"]

    /// Throws if the text is not a valid URL. The error does not contain the text.
    init(parsing text: String) throws(SettingMistake) {
        guard let scheme = Self.schemes.first(where: text.lowercased().hasPrefix) else {
            throw SettingMistake("is not the URL of a PostgreSQL database")
        }
        let rest = text.utf8.dropFirst(scheme.utf8.count)
        guard rest.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw SettingMistake("has a blank or control character; write it as a percent escape")
        }
        guard Self.escapesAreValid(Array(rest)) else {
            throw SettingMistake("has a % that begins no percent escape; write it as %25")
        }
        secret = Secret("postgresql://" + String(decoding: rest, as: UTF8.self))
        description = "postgresql://" + Self.redacted(rest)
    }

    /// The URI for libpq, with the password.
    public var revealed: String { secret.revealed }

    /// Whether every `%` is followed by two hexadecimal digits other than 00, as libpq requires.
    private static func escapesAreValid(_ bytes: [UInt8]) -> Bool {
        bytes.indices.allSatisfy { index in
            guard bytes[index] == UInt8(ascii: "%") else { return true }
            let digits = bytes[(index + 1)...].prefix(2)
            return digits.count == 2 && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
                && !digits.elementsEqual("00".utf8)
        }
    }

    /// The address without password and parameters. An address that is not clearly `user:password@host/database` (for
    /// example because a password contains an unescaped `@`, `/` or `?`) is hidden completely, because an apparent host
    /// could be part of a password.
    private static func redacted(_ address: some Collection<UInt8>) -> String {
        let authority = address.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        let rest = address.dropFirst(authority.count)
        let parts = authority.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count <= 2, !rest.contains(UInt8(ascii: "@")) else { return "***" }
        let path = String(decoding: rest.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
        let host = String(decoding: parts[parts.count - 1], as: UTF8.self)
        guard parts.count == 2 else { return host + path }
        let user = parts[0].prefix { $0 != UInt8(ascii: ":") }
        let password = user.count < parts[0].count ? ":***" : ""
        return String(decoding: user, as: UTF8.self) + password + "@" + host + path
    }
}

extension DatabaseURL: CustomStringConvertible, CustomDebugStringConvertible {
    public var debugDescription: String { description }
}

extension SettingsReader {
    /// The URL of a database; nil if not set or invalid.
    public mutating func optionalDatabaseURL(_ name: String, help: String) -> DatabaseURL? {
        read(.init(name, DatabaseURL.accepted, isSecret: true, help: help), fallback: nil) {
            text throws(SettingMistake) in try DatabaseURL(parsing: text)
        }
    }
}
