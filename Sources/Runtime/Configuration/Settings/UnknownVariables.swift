/// Warnings about misspelt variables.
enum UnknownVariables {
    static func warnings(about values: [String: String], known: [String], prefixes: [String]) -> [String] {
        values.keys.sorted().compactMap { name in
            guard prefixes.contains(where: name.hasPrefix), !known.contains(name),
                !isServiceLink(name, value: values[name] ?? "")
            else { return nil }
            let nearest = Spelling.nearest(to: name, among: known)
            return "\(Quoted.text(name)) is not a known variable"
                + (nearest.map { "; did you mean \($0)?" } ?? "")
        }
    }

    /// Whether the variable is one of those that Kubernetes sets for each Service of the namespace. For a Service named
    /// `jobqueue-api` these are `JOBQUEUE_API_SERVICE_HOST`, `JOBQUEUE_API_PORT=tcp://...`,
    /// `JOBQUEUE_API_PORT_8000_TCP_ADDR` and others.
    static func isServiceLink(_ name: String, value: String) -> Bool {
        name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || isServiceAddress(value)
            || (name.contains("_PORT_") && (name.contains("_TCP_") || name.contains("_UDP_")))
    }

    /// Whether the value is one that Kubernetes sets for `<SERVICE>_PORT`. A Service named `api` sets `API_PORT`.
    static func isServiceAddress(_ value: String) -> Bool {
        value.hasPrefix("tcp://") || value.hasPrefix("udp://")
    }
}

enum Spelling {
    /// The candidate with the smallest distance, if that is up to a third of the word's length, or up to two; else nil.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let scored = candidates.map { (distance(word, $0), $0) }
        guard let best = scored.min(by: { $0 < $1 }) else { return nil }
        return best.0 <= max(2, word.utf8.count / 3) ? best.1 : nil
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other
    /// (restricted Damerau-Levenshtein distance).
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
