/// Files and folders that still have to be rewritten by the rules on words and on the width of lines. Nothing is added
/// here, and what is clean is taken off.
enum NotYetClean {
    static let words: [String] = []

    static let lines: [String] = []

    static func contains(_ path: String, in list: [String]) -> Bool {
        list.contains { Repository.path(path, isIn: $0) }
    }
}
