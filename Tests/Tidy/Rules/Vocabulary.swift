/// The words that decision 0011 has replaced, and turns of phrase that are not plain English.
enum Vocabulary {
    /// What is not written any more, and what is written instead. A word is also found inside an identifier
    /// (`LaneTable`, `lane_id`), and a phrase across the end of a line.
    static let banned: [(words: String, instead: String)] = [
        ("band", "subqueue, or layer"), ("bands", "subqueues, or layers"),
        ("lane", "partition key"), ("lanes", "partition keys"),
        ("by turns", "round-robin"),
        ("tally", "transition delta"), ("tallies", "transition deltas"), ("tallied", "counted"),
        ("step total", "transition total"),
        ("raise marks", "advance low-water marks"), ("raising marks", "advancing low-water marks"),
        ("scan floor", "scan cursor"),
        ("forgetter", "pruner"), ("sweeper", "cleaner"),
        ("revive", "retry"), ("revives", "retries"), ("revived", "retried"), ("reviving", "retrying"),
        ("settle", "record, or decide"), ("settles", "records, or decides"), ("settled", "recorded, or decided"),
        ("settlement", "result"), ("settlements", "results"), ("entrance", "submitter"),
        ("merged inserts", "insert batcher"),
        ("rival", "conflicting job"), ("rivals", "conflicting jobs"),
        ("give back", "release"), ("gives back", "releases, or returns"), ("given back", "released, or returned"),
        ("gave back", "released, or returned"), ("giving back", "releasing, or returning"),
        ("goodbye", "deregistration"), ("depart", "deregister"), ("departs", "deregisters"),
        ("departed", "deregistered"), ("departing", "deregistering"),
        ("fleet", "workers"), ("beat", "heartbeat"), ("beats", "heartbeats"),
        ("taken for dead", "considered dead"), ("takes for dead", "considers dead"),
        ("obey", "acknowledge"), ("obeys", "acknowledges"), ("obeyed", "acknowledged"), ("obeying", "acknowledging"),
        ("quorum", "membership"), ("gathering", "waiting for members"),
        ("sheds", "releases"), ("shedding", "releasing"),
        ("attempt book", "attempt tracker"), ("workload book", "workload tracker"),
        ("stop request", "cancel request"), ("stop order", "cancel request"), ("outrun", "completed before cancel"),
        ("surroundings", "dependencies"), ("errand", "mode"), ("errands", "modes"),
        ("duty", "scheduled task"), ("duties", "scheduled tasks"), ("wish", "goal, or option"),
        ("wishes", "goals, or options"),
        ("shared answer", "single-flight cache"), ("trouble log", "rate-limited log"),
        ("upkeep", "maintenance"), ("scene", "fixture"), ("mould", "template"), ("moulds", "templates"),
        ("house", "system"), ("houses", "systems"), ("room", "capacity, or module"), ("rooms", "modules"),

        ("whoever", "the caller, or the process"), ("whosoever", "any"), ("whatever becomes of", "regardless of"),
        ("anew", "again"), ("somewhen", "at some time"), ("moreover", "also"),
        ("so many", "a number of"), ("for so long", "for that long"), ("after so long", "after that time"),
        ("is told", "receives, or is set"), ("are told", "receive, or are set"), ("was told", "received"),
        ("not to be had", "not available"), ("what is no", "a value that is not"), ("goes with", "requires"),
    ]

    /// Where such a word is right. A path stands for itself and for all that is below it; no words stand for all.
    static let allowed: [(path: String, words: Set<String>)] = [
        // The list of the words that were replaced.
        ("docs/decisions/0011-one-vocabulary.md", []),
        // Space on a node, or in a budget.
        ("docs", ["room"]),
    ]

    // MARK: The rule

    static func isAllowed(_ words: String, in path: String) -> Bool {
        allowed.contains { entry in
            Repository.path(path, isIn: entry.path) && (entry.words.isEmpty || entry.words.contains(words))
        }
    }

    static func findings(path: String, text: String) -> [Finding] {
        let tokens = Token.all(in: text)
        var findings: [Finding] = []
        for start in tokens.indices {
            for phrase in byFirstWord[tokens[start].hash] ?? [] where phrase.matches(tokens[start...]) {
                guard !isAllowed(phrase.words, in: path) else { continue }
                findings.append(
                    Finding(
                        path: path, line: tokens[start].line, message: "\"\(phrase.words)\": write \(phrase.instead)"))
            }
        }
        return findings
    }

    /// The names of the tests in a file: between backticks after `func`.
    static func testNames(in source: SwiftSource) -> [(line: Int, name: String)] {
        source.matches(/func `([^`]+)`/).map { (line: $0.line, name: $0.captured) }
    }

    private struct Phrase {
        let words: String
        let instead: String
        let hashes: [UInt64]

        func matches(_ tokens: ArraySlice<Token>) -> Bool {
            guard tokens.count >= hashes.count else { return false }
            return zip(hashes.indices, tokens).allSatisfy { index, token in
                token.hash == hashes[index] && (index == 0 || token.continues)
            }
        }
    }

    private static let byFirstWord: [UInt64: [Phrase]] = {
        let phrases = banned.map { entry in
            Phrase(words: entry.words, instead: entry.instead, hashes: Token.all(in: entry.words).map(\.hash))
        }
        return Dictionary(grouping: phrases) { $0.hashes[0] }
    }()
}

/// A word of a text or of an identifier, known by its hash: the whole repository is read, in a debug build too.
private struct Token {
    /// FNV-1a of the lower-case letters.
    let hash: UInt64
    let line: Int
    /// Nothing but space, or the mark of a comment, stands between the word before and this one.
    let continues: Bool

    static func all(in text: String) -> [Token] {
        var text = text
        return text.withUTF8 { bytes in
            var tokens: [Token] = []
            var line = 1
            var continues = true
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                guard isLetter(byte) else {
                    if byte == UInt8(ascii: "\n") { line += 1 }
                    if !between.contains(byte) { continues = false }
                    index += 1
                    continue
                }
                var hash: UInt64 = 0xcbf2_9ce4_8422_2325
                repeat {
                    hash = (hash ^ UInt64(bytes[index] | 0x20)) &* 0x0000_0100_0000_01b3
                    index += 1
                } while index < bytes.count && isLetter(bytes[index]) && !beginsWord(bytes, at: index)
                tokens.append(Token(hash: hash, line: line, continues: continues))
                continues = true
            }
            return tokens
        }
    }

    private static let between = Set(" \n\t/*#-_".utf8)

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isUpper(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    /// `T` of `openTable`, `S` of `HTTPServer`.
    private static func beginsWord(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        guard isUpper(bytes[index]) else { return false }
        let isBeforeLower = index + 1 < bytes.count && isLetter(bytes[index + 1]) && !isUpper(bytes[index + 1])
        return !isUpper(bytes[index - 1]) || isBeforeLower
    }
}
