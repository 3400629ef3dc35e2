/// Finds the name that a misspelt one was meant to be.
public enum Spelling {
    /// The candidate that takes the fewest edits, if that is at most a third of the word's bytes, or two; nil if there
    /// is none.
    public static func nearest(to word: String, among candidates: [String]) -> String? {
        nearest(to: word, among: candidates, editsMax: max(2, word.utf8.count / 3))
    }

    /// The candidate that takes the fewest edits and at most `editsMax`, or else has the same letters in another order;
    /// nil if there is none.
    public static func nearest(to word: String, among candidates: [String], editsMax: Int) -> String? {
        let scored = candidates.map { (distance(word, $0), $0) }
        guard let best = scored.min(by: { $0 < $1 }) else { return nil }
        if best.0 <= editsMax { return best.1 }
        let letters = word.utf8.sorted()
        return candidates.first { $0.utf8.count == letters.count && $0.utf8.sorted() == letters }
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other (the
    /// restricted Damerau-Levenshtein distance), in bytes of UTF-8.
    public static func distance(_ left: String, _ right: String) -> Int {
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
