/// What a text from outside may be: its length in bytes of UTF-8, and its characters.
public struct TextRule: Hashable, Sendable {
    private enum Characters {
        case name
        case line
    }

    private let characters: Characters
    public let bytesMax: Int

    /// The name of a queue, a type, a pool, a workload or a handler.
    public static let name = name(bytesMax: 128)
    /// The name of the actor that changes something (`updated_by`).
    public static let actor = line(bytesMax: 255)
    /// The reason for a change.
    public static let reason = line(bytesMax: 1_000)

    /// A name: 1 to `bytesMax` characters of `A-Z a-z 0-9 . _ : / -`, but not `.` or `..`, which clients remove from
    /// the path of a URL.
    public static func name(bytesMax: Int) -> TextRule {
        TextRule(characters: .name, bytesMax: bytesMax)
    }

    /// A text of one line: 1 to `bytesMax` bytes without control characters (U+0000 to U+001F, U+007F).
    public static func line(bytesMax: Int) -> TextRule {
        TextRule(characters: .line, bytesMax: bytesMax)
    }

    public func accepts(_ text: String) -> Bool {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= bytesMax else { return false }
        switch characters {
        case .name: return bytes.allSatisfy(Self.isNameByte) && text != "." && text != ".."
        case .line: return bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
    }

    /// What is accepted, as the end of a sentence: `must be 1 to 255 bytes without control characters`.
    public var requirement: String {
        switch characters {
        case .name: "must be 1 to \(bytesMax) characters of A-Z a-z 0-9 . _ : / -, but not . or .."
        case .line: "must be 1 to \(bytesMax) bytes without control characters"
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
