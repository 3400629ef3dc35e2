/// Files and folders that still have to be rewritten by the rules on words and on the width of lines. Nothing is added
/// here, and what is clean is taken off.
enum NotYetClean {
    static let words = [
        "Benchmarks/bench/sections/resident.py", "Migrations/0009_enqueue.sql", "Sources/Api",
        "Sources/Capabilities/Jobs", "Sources/Capabilities/Pauses", "Sources/Capabilities/Pools",
        "Sources/Capabilities/Workers", "Sources/Protocols/HTTP", "Sources/Service", "Sources/Worker",
        "Tests/ApiTests", "Tests/Integration", "Tests/JobsTests", "Tests/PoolsTests", "Tests/ReaperTests",
        "Tests/ServiceTests", "Tests/WorkerTests", "Tests/WorkersTests",
    ]

    static let lines = [
        "Sources/Api", "Sources/Capabilities/Jobs", "Sources/Capabilities/Pauses", "Sources/Capabilities/Pools",
        "Sources/Capabilities/Workers", "Sources/Reaper", "Sources/Service", "Sources/Worker", "Tests/ApiTests",
        "Tests/Integration", "Tests/JSONTests", "Tests/JobsTests", "Tests/PoolsTests",
    ]

    static func contains(_ path: String, in list: [String]) -> Bool {
        list.contains { Repository.path(path, isIn: $0) }
    }
}
