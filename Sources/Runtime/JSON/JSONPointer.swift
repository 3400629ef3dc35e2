/// The path to a value in a document (RFC 6901), such as `/jobs/3/payload`.
public struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    /// The empty pointer, which refers to the whole document.
    public static let root = JSONPointer(text: "")

    /// The pointer as text, with `~` as `~0` and `/` as `~1` in names.
    public let text: String

    private init(text: String) {
        self.text = text
    }

    public var description: String { text }

    /// The pointer to the member `name` of this object.
    public func appending(_ name: String) -> JSONPointer {
        var escaped = text
        escaped.append("/")
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": escaped.append("~0")
            case "/": escaped.append("~1")
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return JSONPointer(text: escaped)
    }

    /// The pointer to the element at `index`, from 0, of this array.
    public func appending(_ index: Int) -> JSONPointer {
        JSONPointer(text: "\(text)/\(index)")
    }

    /// Compares bytes: `String` treats the composed and decomposed form of a letter as equal, but in JSON they are
    /// different names.
    public static func == (left: JSONPointer, right: JSONPointer) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        for byte in text.utf8 {
            hasher.combine(byte)
        }
    }
}
