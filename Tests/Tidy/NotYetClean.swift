/// Files and folders that still have to be rewritten by the rules on words and on the width of lines. Nothing is added
/// here, and what is clean is taken off.
enum NotYetClean {
    static let words = [
        "Benchmarks/bench/sections/resident.py",
        "Sources/CBoundary", "Sources/Capabilities/Jobs",
        "Sources/Capabilities/Pools", "Sources/Capabilities/Workers", "Sources/Protocols/HTTP",
        "Sources/Protocols/Postgres", "Sources/Reaper", "Sources/Runtime/Configuration", "Sources/Runtime/EventLoop",
        "Sources/Runtime/TLS", "Sources/Runtime/Telemetry",
        "Sources/Worker",
        "Tests/ConfigurationTests", "Tests/EventLoopTests", "Tests/HTTPTests", "Tests/Integration",
        "Tests/JobsTests", "Tests/PoolsTests", "Tests/PostgresTests",
        "Tests/ReaperTests", "Tests/TLSTests", "Tests/TelemetryTests", "Tests/ValuesTests", "Tests/WorkerTests",
        "Tests/WorkersTests",
    ]

    static let lines = [
        "Sources/CBoundary/CLinux", "Sources/Capabilities/Jobs",
        "Sources/Capabilities/Pools", "Sources/Capabilities/Workers", "Sources/Protocols/HTTP",
        "Sources/Protocols/Postgres", "Sources/Reaper", "Sources/Runtime/Configuration", "Sources/Runtime/EventLoop",
        "Sources/Runtime/TLS", "Sources/Runtime/Telemetry", "Sources/Runtime/Values", "Sources/Worker",
        "Tests/Integration", "Tests/JSONTests", "Tests/JobsTests", "Tests/PoolsTests",
        "Tests/TLSTests", "Tests/WorkerTests",
    ]

    static func contains(_ path: String, in list: [String]) -> Bool {
        list.contains { Repository.path(path, isIn: $0) }
    }
}
