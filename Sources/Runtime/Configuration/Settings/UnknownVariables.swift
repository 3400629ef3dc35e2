/// Finds variables that were meant for us and are misspelt.
enum UnknownVariables {
    static func warnings(about values: [String: String], known: [String], prefixes: [String]) -> [String] {
        values.keys.sorted().compactMap { name in
            guard prefixes.contains(where: name.hasPrefix), !known.contains(name),
                !isServiceLink(name, value: values[name] ?? "")
            else { return nil }
            let nearest = Spelling.nearest(to: name, among: known)
            return "\(Quoted.text(name)) is set, but nothing reads it"
                + (nearest.map { "; did you mean \($0)?" } ?? "")
        }
    }

    /// The variables that Kubernetes sets for each Service of the namespace (a Service named `jobqueue-api` gives
    /// `JOBQUEUE_API_SERVICE_HOST`, `JOBQUEUE_API_PORT=tcp://...`, `JOBQUEUE_API_PORT_8000_TCP_ADDR` and so on).
    static func isServiceLink(_ name: String, value: String) -> Bool {
        name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || isServiceAddress(value)
            || (name.contains("_PORT_") && (name.contains("_TCP_") || name.contains("_UDP_")))
    }

    /// What Kubernetes puts into `<SERVICE>_PORT`, which is how a Service named `api` comes to set `API_PORT`.
    static func isServiceAddress(_ value: String) -> Bool {
        value.hasPrefix("tcp://") || value.hasPrefix("udp://")
    }
}

enum Spelling {
    /// The candidate that takes the fewest edits, if these are few enough (a third of the word, at least two) for it to
    /// have been meant.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let scored = candidates.map { (distance(word, $0), $0) }
        guard let best = scored.min(by: { $0 < $1 }) else { return nil }
        return best.0 <= max(2, word.utf8.count / 3) ? best.1 : nil
    }

    /// How many insertions, deletions, replacements and swaps of neighbours make one word of the other (the restricted
    /// Damerau-Levenshtein distance).
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
