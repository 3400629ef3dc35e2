/// Imports point down: `Package.swift` declares only what DESIGN's layers allow, and no file imports more than is
/// declared. The build's own check (`--explicit-target-dependency-import-check`) lets the import of an import through.
enum Layering {
    /// The imports within a layer that the design allows.
    static let withinLayer: [String: Set<String>] = [
        "TLS": ["EventLoop"],
        "Configuration": ["EventLoop"],
        "Jobs": ["Workers"],
        "Pauses": ["Jobs", "Workers"],
        "Schedules": ["Jobs"],
        "Pools": ["Workers"],
    ]

    /// The modules of the toolchain that the binaries may hold. Foundation is not among them: it costs start time and
    /// memory.
    static let toolchain: Set<String> = ["Glibc", "Synchronization"]

    static func declared(_ manifest: Manifest) -> [Finding] {
        var findings: [Finding] = []
        for target in manifest.targets.values where target.layer < .tests {
            for name in target.imports {
                guard let imported = manifest.targets[name] else {
                    findings.append(finding("\(target.name) imports \(name), which is no target"))
                    continue
                }
                let allowed =
                    imported.layer < target.layer
                    || (imported.layer == target.layer
                        && (name == "Values" || withinLayer[target.name]?.contains(name) == true))
                if !allowed {
                    findings.append(
                        finding(
                            "\(target.name) (\(target.layer.rawValue)) may not import \(name) (\(imported.layer.rawValue))"
                        ))
                }
            }
        }
        return findings.sorted { $0.message < $1.message }
    }

    private static func finding(_ message: String) -> Finding {
        Finding(path: "Package.swift", line: nil, message: message)
    }

    static func imported(_ sources: [SwiftSource], _ manifest: Manifest) -> [Finding] {
        sources.flatMap { source -> [Finding] in
            guard let target = manifest.targets[source.target] else {
                return [Finding(path: source.path, line: nil, message: "belongs to no target of Package.swift")]
            }
            let allowed = toolchain.union(target.imports)
            return source.matches(importLine).compactMap { line, name in
                allowed.contains(name)
                    ? nil
                    : Finding(
                        path: source.path, line: line,
                        message: "imports \(name), which Package.swift does not declare for \(target.name)")
            }
        }
    }

    /// The module of an import, with whatever stands before the keyword, and also of `import struct Module.Type`.
    private static var importLine: Regex<(Substring, Substring)> {
        /^\s*(?:@\w+(?:\([^)]*\))?\s+|(?:public|package|internal|fileprivate|private)\s+)*import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)/
    }
}
