/// SQL takes values by parameters, never by interpolation. Only a constant of a type (`\(Self.columns)`,
/// `\(JobColumns.all)`) may be interpolated, or with the label that `SQLFragment` alone knows (`\(sql: source)`), for
/// which the compiler takes nothing but another fragment: no input can reach either.
enum BoundSQL {
    static func interpolated(_ source: SwiftSource) -> [Finding] {
        source.literals.compactMap { literal in
            guard isSQL(literal.text) else { return nil }
            let accepted = /[A-Z]\w*(\.\w+)+|sql: [\s\S]+/
            guard let bad = literal.interpolations.first(where: { $0.wholeMatch(of: accepted) == nil }) else {
                return nil
            }
            return Finding(
                path: source.path, line: literal.line,
                message: "\\(\(bad)) in SQL: a value is a parameter ($1), a fragment is \\(sql: ...) of an SQLFragment")
        }
    }

    /// Begins with a statement's keyword as we write them, or holds a clause that only SQL has.
    private static func isSQL(_ text: String) -> Bool {
        let statement =
            /^\s*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|MERGE INTO|TRUNCATE|LOCK TABLE|CREATE|ALTER|DROP|SET|LISTEN|UNLISTEN|NOTIFY|COPY|CALL|DO|GRANT|EXPLAIN|VACUUM|ANALYZE)\b/
        let clause = /\b(?:FROM|WHERE|VALUES|RETURNING|ORDER BY|GROUP BY|SET|AND|LIMIT)\s+\S/
        return text.prefixMatch(of: statement) != nil || text.contains(clause)
    }
}
