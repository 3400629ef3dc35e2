/// Files and folders that still have to be rewritten by the rules on words and on the width of lines. Nothing is added
/// here, and what is clean is taken off.
enum NotYetClean {
    static let words: [String] = [
        "Benchmarks/bench/sections", "Sources/Capabilities/Jobs", "Sources/Capabilities/Workers",
        "Sources/Protocols/HTTP/Parsing", "Tests/ApiTests", "Tests/JobsTests", "Tests/WorkersTests",
    ]

    static let lines: [String] = [
        "Sources/CBoundary/CLinux", "Sources/Capabilities/Jobs",
        "Sources/Capabilities/Pools", "Sources/Capabilities/Workers", "Sources/Protocols/HTTP",
        "Tests/ApiTests", "Tests/JSONTests", "Tests/JobsTests",
    ]

    static func contains(_ path: String, in list: [String]) -> Bool {
        list.contains { Repository.path(path, isIn: $0) }
    }
}
