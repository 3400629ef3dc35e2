/// A part of a statement, or a whole one, that was written in the program: no value can get into it.
///
/// It is made from a literal, and what a literal interpolates can only be another fragment, `\(sql: columns)`. So a
/// text from outside cannot be put into a statement even by mistake: it does not compile. Values go by parameters.
public struct SQLFragment: ExpressibleByStringInterpolation, Sendable {
    /// The text of the literals, joined.
    public let text: String

    /// For texts that this module makes: names of types and numbers of parameters.
    init(trusted text: String) {
        self.text = text
    }

    /// `a, b, c`.
    init(joining parts: [SQLFragment]) {
        self.init(trusted: parts.map(\.text).joined(separator: ", "))
    }

    public init(stringLiteral text: String) {
        self.text = text
    }

    public init(stringInterpolation parts: StringInterpolation) {
        text = parts.text
    }

    /// The pieces of a literal. `sql:` is what `String` does not know, so whoever reads it knows that it is safe.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 256 * interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        public mutating func appendInterpolation(sql fragment: SQLFragment) {
            text += fragment.text
        }
    }
}
