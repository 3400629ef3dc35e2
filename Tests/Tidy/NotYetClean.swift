/// Files and folders that still have to be rewritten by the rules on words and on the width of lines. Nothing is added
/// here, and what is clean is taken off.
enum NotYetClean {
    static let words = [
        "Benchmarks/bench/sections/resident.py", "Migrations/0009_enqueue.sql",
        "Sources/Api", "Sources/CBoundary", "Sources/Capabilities/Jobs", "Sources/Capabilities/Pauses",
        "Sources/Capabilities/Workers", "Sources/Protocols/HTTP",
        "Sources/Protocols/Postgres", "Sources/Runtime/Configuration", "Sources/Runtime/EventLoop",
        "Sources/Runtime/JSON", "Sources/Runtime/TLS", "Sources/Runtime/Telemetry", "Sources/Runtime/Values",
        "Tests/ApiTests", "Tests/ConfigurationTests", "Tests/EventLoopTests", "Tests/HTTPTests",
        "Tests/JSONTests", "Tests/JobsTests", "Tests/PausesTests", "Tests/PostgresTests",
        "Tests/TLSTests", "Tests/TelemetryTests", "Tests/ValuesTests",
        "Tests/WorkersTests",
    ]

    static let lines = [
        "Sources/Api", "Sources/CBoundary/CLinux", "Sources/Capabilities/Jobs", "Sources/Capabilities/Pauses",
        "Sources/Capabilities/Pools", "Sources/Capabilities/Workers", "Sources/Protocols/HTTP",
        "Sources/Protocols/Postgres", "Sources/Runtime/Configuration", "Sources/Runtime/EventLoop",
        "Sources/Runtime/TLS", "Sources/Runtime/Telemetry", "Sources/Runtime/Values",
        "Tests/ApiTests", "Tests/JSONTests", "Tests/JobsTests",
        "Tests/TLSTests",
    ]

    static func contains(_ path: String, in list: [String]) -> Bool {
        list.contains { Repository.path(path, isIn: $0) }
    }
}
