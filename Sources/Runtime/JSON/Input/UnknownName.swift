internal import Values

/// The text of an error about a name that an input does not accept.
public enum UnknownName {
    /// Longer lists of accepted names are left out.
    private static let listedMax = 10
    /// A longer name is no misspelling; comparing it would cost time.
    private static let comparedBytesMax = 64

    /// For example ``is not a known member; did you mean `type`?`` or
    /// ``is not a known parameter; accepted are `limit`, `cursor` ``.
    ///
    /// - Parameter kind: `member` or `parameter`.
    public static func detail(of name: String, kind: String, known: [String]) -> String {
        let fault = "is not a known \(kind)"
        if known.isEmpty { return "\(fault); none is accepted" }
        if name.utf8.count <= comparedBytesMax,
            let nearest = Spelling.nearest(to: name, among: known, editsMax: name.utf8.count > 3 ? 2 : 1)
        {
            return "\(fault); did you mean `\(nearest)`?"
        }
        guard known.count <= listedMax else { return fault }
        return "\(fault); accepted are \(known.map { "`\($0)`" }.joined(separator: ", "))"
    }
}
