// swift-tools-version: 6.2
import Foundation
import PackageDescription

// One line for each target: its name, and what it may import. Imports point down only; the band
// that a target belongs to is told by the heading above it. The build rejects an import that is not
// written here, and `Tests/Tidy` rejects what the build lets through (an import of an import).

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func shared(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: imports, path: "Sources/Shared/\(name)", swiftSettings: strict)
}

func binary(_ name: String, _ imports: [Target.Dependency]) -> Target {
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
        .target(name: "CLinux", path: "Sources/Shared/CLinux"),
        .systemLibrary(name: "CLibPQ", path: "Sources/Shared/CLibPQ", pkgConfig: "libpq"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Shared/COpenSSL", pkgConfig: "openssl"),

        // Runtime
        shared("EventLoop", ["CLinux"]),
        shared("TLS", ["COpenSSL", "EventLoop"]),
        shared("JSON"),
        shared("Telemetry"),
        shared("Configuration", ["EventLoop"]),

        // Protocols
        shared("HTTP", ["EventLoop", "TLS", "JSON", "Telemetry"]),
        shared("Postgres", ["CLibPQ", "EventLoop", "Telemetry", "Configuration"]),

        // Capabilities
        shared("Fleet", ["Postgres", "EventLoop", "Telemetry", "Configuration"]),
        shared("Jobs", ["Postgres", "EventLoop", "JSON", "Fleet", "Telemetry"]),
        shared("Control", ["Postgres", "TLS", "Telemetry"]),
        shared("Pools", ["Postgres", "EventLoop", "Telemetry"]),

        // Binaries
        binary(
            "Api",
            [
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Fleet", "Jobs",
                "Control", "Pools",
            ]),
        binary(
            "Worker",
            [
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Fleet", "Jobs",
                "Control", "Pools",
            ]),
        binary("Reaper", ["EventLoop", "Telemetry", "Configuration", "Postgres", "Fleet", "Jobs", "Control", "Pools"]),

        // Tests
        .target(
            name: "TestKit", dependencies: ["EventLoop", "JSON", "Postgres"], path: "Tests/TestKit",
            swiftSettings: strict),
        tests("EventLoopTests", ["EventLoop", "CLinux"]),
        tests("TLSTests", ["TLS", "EventLoop"]),
        tests("JSONTests", ["JSON"]),
        tests("TelemetryTests", ["Telemetry"]),
        tests("ConfigurationTests", ["Configuration"]),
        tests("HTTPTests", ["HTTP", "EventLoop", "TLS", "JSON", "Telemetry"]),
        tests("PostgresTests", ["Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests("FleetTests", ["Fleet", "Postgres", "EventLoop", "Configuration", "TestKit"]),
        tests("JobsTests", ["Jobs", "Fleet", "Postgres", "EventLoop", "JSON", "Telemetry", "TestKit"]),
        tests("ControlTests", ["Control", "Jobs", "Fleet", "Postgres", "EventLoop", "Telemetry", "TestKit"]),
        tests("PoolsTests", ["Pools", "Postgres", "EventLoop", "JSON", "Telemetry", "TestKit"]),
        tests("WorkerTests", ["Worker", "EventLoop", "TLS", "JSON", "Telemetry", "HTTP", "Postgres", "Jobs", "Pools"]),
        tests(
            "ApiTests",
            [
                "Api", "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Jobs", "Pools",
                "TestKit",
            ]),
        tests(
            "ReaperTests",
            ["Reaper", "Jobs", "Fleet", "Pools", "Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests("TestKitTests", ["TestKit", "EventLoop"]),
        tests("Integration", ["TestKit", "Postgres", "EventLoop", "JSON"]),
        tests("Tidy", ["TestKit"]),
    ].filter { hasTests || $0.path?.hasPrefix("Tests/") != true },
    swiftLanguageModes: [.v6]
)
