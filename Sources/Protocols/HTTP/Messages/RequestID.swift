internal import Values

/// The identifier of a request in the response and in the log: the client's `X-Request-Id` if it is valid, else a
/// generated one. Bytes and text are created on access only.
public struct RequestID: Sendable, CustomStringConvertible {
    /// Maximum length of an id from a client.
    public static let bytesMax = 128

    private enum Source: Sendable {
        case client(ArraySlice<UInt8>)
        /// Prefix of the connection and number of the request on it, so that the log shows requests of one connection.
        case generated(connection: [UInt8], serial: Int)
    }

    private let source: Source

    /// Uses the id in `fields` if there is exactly one and it matches `[A-Za-z0-9._-]{1,128}`.
    init(_ fields: MessageFields?, connection: [UInt8], serial: Int) {
        if let given = fields?.only(.xRequestID), Self.isValid(given) {
            source = .client(given)
        } else {
            source = .generated(connection: connection, serial: serial)
        }
    }

    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    func append(to bytes: inout [UInt8]) {
        switch source {
        case .client(let given): bytes.append(contentsOf: given)
        case .generated(let connection, let serial):
            bytes.append(contentsOf: connection)
            bytes.append(decimal: serial)
        }
    }

    /// A prefix for the request ids of one connection: 64 random bits in hexadecimal and a hyphen.
    static func newConnectionPrefix() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(17)
        bytes.append(hexadecimal: UInt64.random(in: 0...UInt64.max))
        bytes.append(UInt8(ascii: "-"))
        return bytes
    }

    private static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard (1...bytesMax).contains(bytes.count) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
