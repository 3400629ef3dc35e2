internal import Values

/// What names one request in the answer and in the log: the client's own `X-Request-Id` if it is sane,
/// else one that is made here. Bytes and text are made when somebody asks.
public struct RequestID: Sendable, CustomStringConvertible {
    /// Longest accepted from a client.
    public static let bytesMax = 128

    private enum Source: Sendable {
        case client(ArraySlice<UInt8>)
        /// What names the connection, and the place of the request on it: neighbours in a log can be seen.
        case own(connection: [UInt8], serial: Int)
    }

    private let source: Source

    /// Takes over the id in `fields`, if there is exactly one of `[A-Za-z0-9._-]{1,128}`.
    init(_ fields: MessageFields?, connection: [UInt8], serial: Int) {
        if let given = fields?.only(.xRequestID), Self.isSane(given) {
            source = .client(given)
        } else {
            source = .own(connection: connection, serial: serial)
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
        case .own(let connection, let serial):
            bytes.append(contentsOf: connection)
            bytes.append(decimal: serial)
        }
    }

    /// A name that no other connection has, as far as 64 random bits can tell.
    static func newConnectionName() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(17)
        bytes.append(hexadecimal: UInt64.random(in: 0...UInt64.max))
        bytes.append(UInt8(ascii: "-"))
        return bytes
    }

    private static func isSane(_ bytes: ArraySlice<UInt8>) -> Bool {
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
