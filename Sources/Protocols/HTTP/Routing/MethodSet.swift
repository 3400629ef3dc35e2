/// A set of methods.
struct MethodSet: OptionSet, Sendable {
    let rawValue: UInt16

    init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    init(_ method: Method) {
        rawValue = 1 << UInt16(method.rawValue)
    }

    /// The value of an `Allow` field (RFC 9110 section 10.2.1).
    var allowValue: String {
        Method.allCases.filter { contains(MethodSet($0)) }.map(\.description).joined(separator: ", ")
    }
}
