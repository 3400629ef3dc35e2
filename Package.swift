// swift-tools-version: 6.2
import Foundation
import PackageDescription

// One line for each target: its name, and what it may import. Each layer is a folder of Sources, and imports
// point to a lower layer only (within a layer, to what `Tests/Tidy` lists). The build rejects an import that is
// not declared here; `Tests/Tidy` rejects what the build lets through: the import of an import.

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func runtime(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: imports, path: "Sources/Runtime/\(name)", swiftSettings: strict)
}

func protocolTarget(_ name: String, _ imports: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: imports, path: "Sources/Protocols/\(name)", swiftSettings: strict)
}

func capability(_ name: String, _ imports: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: imports, path: "Sources/Capabilities/\(name)", swiftSettings: strict)
}

func program(_ name: String, _ imports: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: imports, path: "Sources/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ imports: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: imports, path: "Tests/\(name)", swiftSettings: strict)
}

/// The images are built from a tree without Tests, so that a change to a test builds none of them anew.
let hasTests = FileManager.default.fileExists(atPath: Context.packageDirectory + "/Tests")

let package = Package(
    name: "jobqueue",
    products: [
        .executable(name: "jobqueue-api", targets: ["Api"]),
        .executable(name: "jobqueue-worker", targets: ["Worker"]),
        .executable(name: "jobqueue-reaper", targets: ["Reaper"]),
    ],
    targets: [
        // C boundary
        .target(name: "CLinux", path: "Sources/CBoundary/CLinux"),
        .systemLibrary(name: "CLibPQ", path: "Sources/CBoundary/CLibPQ", pkgConfig: "libpq"),
        .systemLibrary(name: "COpenSSL", path: "Sources/CBoundary/COpenSSL", pkgConfig: "openssl"),

        // Runtime
        runtime("EventLoop", ["CLinux"]),
        runtime("TLS", ["COpenSSL", "EventLoop"]),
        runtime("JSON"),
        runtime("Telemetry"),
        runtime("Configuration"),

        // Protocols
        protocolTarget("HTTP", ["EventLoop", "TLS", "JSON", "Telemetry"]),
        protocolTarget("Postgres", ["CLibPQ", "EventLoop", "Telemetry", "Configuration"]),

        // Capabilities
        capability("Workers", ["Postgres", "EventLoop", "Telemetry", "Configuration"]),
        capability("Jobs", ["Postgres", "EventLoop", "JSON", "Telemetry"]),
        capability("Pauses", ["Postgres", "TLS", "Telemetry"]),
        capability("Pools", ["Postgres", "EventLoop", "Telemetry"]),

        // Programs
        program(
            "Api",
            [
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Workers", "Jobs",
                "Pauses", "Pools",
            ]),
        program(
            "Worker",
            [
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Workers", "Jobs",
                "Pauses", "Pools",
            ]),
        program(
            "Reaper", ["EventLoop", "Telemetry", "Configuration", "Postgres", "Workers", "Jobs", "Pauses", "Pools"]),

        // Tests
        .target(
            name: "TestKit", dependencies: ["EventLoop", "Postgres"], path: "Tests/TestKit",
            swiftSettings: strict),
        tests("EventLoopTests", ["EventLoop", "TestKit"]),
        tests("TLSTests", ["TLS", "EventLoop"]),
        tests("JSONTests", ["JSON", "TestKit"]),
        tests("TelemetryTests", ["Telemetry", "TestKit"]),
        tests("ConfigurationTests", ["Configuration"]),
        tests("HTTPTests", ["HTTP", "EventLoop", "TLS", "Telemetry", "TestKit"]),
        tests("PostgresTests", ["Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests("WorkersTests", ["Workers", "Postgres", "EventLoop", "Configuration", "TestKit"]),
        tests("JobsTests", ["Jobs", "Workers", "Postgres", "EventLoop", "JSON", "Telemetry", "TestKit"]),
        tests("PausesTests", ["Pauses", "Jobs", "Postgres", "EventLoop", "Telemetry", "TestKit"]),
        tests("PoolsTests", ["Pools", "Postgres", "EventLoop", "JSON", "Telemetry", "TestKit"]),
        tests("WorkerTests", ["Worker", "EventLoop", "TLS", "Telemetry", "HTTP", "Postgres", "Jobs", "Pools"]),
        tests(
            "ApiTests",
            [
                "Api", "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Jobs", "Pools",
                "TestKit",
            ]),
        tests(
            "ReaperTests",
            ["Reaper", "Jobs", "Workers", "Pools", "Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests("TestKitTests", ["TestKit", "EventLoop"]),
        tests("Integration", ["TestKit", "Postgres", "EventLoop", "JSON"]),
        tests("Tidy", []),
    ].filter { hasTests || $0.path?.hasPrefix("Tests/") != true },
    swiftLanguageModes: [.v6]
)
