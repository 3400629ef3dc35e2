/// SQL text from literals of the program: a statement or a part of one.
///
/// It is created from a literal that can interpolate other fragments only, as `\(sql: columns)`. External text in a
/// statement therefore does not compile. Values are passed as parameters.
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

    /// The parts of a literal. `String` has no interpolation with the label `sql`, so the label marks a safe fragment.
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
