import Testing
import Values

@Suite struct SpellingTests {
    @Test func `the distance between words counts edits`() {
        let distances = [("", "", 0), ("a", "", 1), ("PORT", "PROT", 1), ("kitten", "sitting", 3), ("ab", "ba", 1)]
        for (left, right, distance) in distances {
            #expect(Spelling.distance(left, right) == distance)
            #expect(Spelling.distance(right, left) == distance)
        }
    }

    @Test func `the nearest word has few edits, or the same letters`() {
        let words = ["type", "queue", "priority"]
        #expect(Spelling.nearest(to: "quue", among: words, editsMax: 1) == "queue")
        #expect(Spelling.nearest(to: "quuue", among: words, editsMax: 1) == "queue")
        #expect(Spelling.nearest(to: "qu", among: words, editsMax: 2) == nil)
        #expect(Spelling.nearest(to: "epyt", among: words, editsMax: 1) == "type")
        #expect(Spelling.nearest(to: "type", among: [], editsMax: 1) == nil)
    }
}
