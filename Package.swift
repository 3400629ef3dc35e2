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

func program(_ name: String, _ imports: [Target.Dependency], plugins: [Target.PluginUsage] = []) -> Target {
    .executableTarget(
        name: name, dependencies: imports, path: "Sources/\(name)", swiftSettings: strict, plugins: plugins)
}

func tests(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
    .testTarget(name: name, dependencies: imports, path: "Tests/\(name)", swiftSettings: strict)
}

/// The images are built from a tree without Tests, so that a change to a test rebuilds none of them.
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
        runtime("Values"),
        runtime("EventLoop", ["CLinux", "Values"]),
        runtime("TLS", ["Values", "COpenSSL", "EventLoop"]),
        runtime("JSON", ["Values"]),
        runtime("Telemetry", ["Values"]),
        runtime("Configuration", ["Values"]),

        // Protocols
        protocolTarget("HTTP", ["Values", "EventLoop", "TLS", "JSON", "Telemetry"]),
        protocolTarget("Postgres", ["Values", "CLibPQ", "EventLoop", "Telemetry", "Configuration"]),

        // Service
        .target(
            name: "Service", dependencies: ["Values", "EventLoop", "Telemetry", "Configuration", "Postgres"],
            path: "Sources/Service", swiftSettings: strict),

        // Capabilities
        capability("Workers", ["Values", "Postgres", "JSON", "Telemetry"]),
        capability("Jobs", ["Values", "Postgres", "EventLoop", "JSON", "Telemetry"]),
        capability("Pauses", ["Values", "Postgres", "EventLoop", "TLS", "JSON", "Workers", "Jobs"]),
        capability("Pools", ["Values", "Postgres", "JSON", "Telemetry"]),

        // Programs
        program(
            "Api",
            [
                "Values",
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Service",
                "Workers", "Jobs", "Pauses", "Pools",
            ], plugins: ["EmbedOpenAPI"]),
        program(
            "Worker",
            [
                "Values",
                "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Service",
                "Workers", "Jobs", "Pauses", "Pools",
            ]),
        program(
            "Reaper",
            [
                "Values", "Telemetry", "Configuration", "Postgres", "Service", "Workers", "Jobs", "Pauses", "Pools",
            ]),

        // Build
        .plugin(name: "EmbedOpenAPI", capability: .buildTool()),

        // Tests
        .target(
            name: "TestKit",
            dependencies: ["Values", "EventLoop", "JSON", "Postgres", "Workers", "Jobs", "Pauses", "Pools"],
            path: "Tests/TestKit",
            swiftSettings: strict),
        tests("ValuesTests", ["Values", "TestKit"]),
        tests("EventLoopTests", ["Values", "EventLoop", "TestKit"]),
        tests("TLSTests", ["Values", "TLS", "EventLoop"]),
        tests("JSONTests", ["Values", "JSON", "TestKit"]),
        tests("TelemetryTests", ["Values", "Telemetry", "TestKit"]),
        tests("ConfigurationTests", ["Configuration"]),
        tests("HTTPTests", ["Values", "HTTP", "EventLoop", "TLS", "JSON", "Telemetry", "TestKit"]),
        tests("PostgresTests", ["Values", "Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests(
            "ServiceTests",
            ["Values", "Service", "Postgres", "EventLoop", "Telemetry", "Configuration", "TestKit"]),
        tests("WorkersTests", ["Values", "Workers", "Postgres", "EventLoop", "TestKit"]),
        tests(
            "JobsTests",
            ["Values", "Jobs", "Workers", "Pauses", "Postgres", "EventLoop", "JSON", "Telemetry", "TestKit"]),
        tests("PausesTests", ["Values", "Pauses", "Jobs", "Workers", "Postgres", "EventLoop", "JSON", "TestKit"]),
        tests("PoolsTests", ["Values", "Pools", "Postgres", "EventLoop", "JSON", "TestKit"]),
        tests(
            "WorkerTests",
            ["Values", "Worker", "EventLoop", "TLS", "Telemetry", "HTTP", "Postgres", "Jobs", "Pools", "TestKit"]),
        tests(
            "ApiTests",
            [
                "Values",
                "Api", "EventLoop", "TLS", "JSON", "Telemetry", "Configuration", "HTTP", "Postgres", "Service", "Jobs",
                "Pauses", "Pools", "TestKit",
            ]),
        tests(
            "ReaperTests",
            [
                "Values", "Reaper", "Service", "Jobs", "Workers", "Pools", "Postgres", "EventLoop", "Telemetry",
                "Configuration", "TestKit",
            ]),
        tests("TestKitTests", ["Values", "TestKit", "EventLoop"]),
        tests("Integration", ["Values", "TestKit", "Postgres", "EventLoop", "JSON"]),
        tests("Tidy"),
    ].filter { hasTests || $0.path?.hasPrefix("Tests/") != true },
    swiftLanguageModes: [.v6]
)
