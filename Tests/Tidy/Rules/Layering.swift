/// Imports point down: `Package.swift` declares no other, and no file imports what is not declared. The check of the
/// build (`--explicit-target-dependency-import-check`) accepts the import of an import.
enum Layering {
    /// The bottom of Runtime, which the whole layer may import.
    static let bottom = "Values"

    /// The other imports within a layer.
    static let withinLayer: [String: Set<String>] = [
        "TLS": ["EventLoop"],
        "Pauses": ["Jobs", "Workers"],
    ]

    /// The modules of the toolchain that the programs may link. Foundation is not among them: it costs start time and
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
                        && (name == bottom || withinLayer[target.name]?.contains(name) == true))
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

    /// Imports that Package.swift declares for a target, and none of its files needs.
    /// - Parameter sources: the files of all targets.
    static func unused(_ sources: [SwiftSource], _ manifest: Manifest) -> [Finding] {
        var used: [String: Set<String>] = [:]
        for source in sources { used[source.target, default: []].formUnion(source.matches(importLine).map(\.captured)) }
        return manifest.targets.values.flatMap { target in
            target.imports.filter { used[target.name]?.contains($0) != true }
                .map { finding("\(target.name) declares \($0), and imports it nowhere") }
        }.sorted { $0.message < $1.message }
    }

    /// Targets whose files are not in the folder of their layer.
    static func misplaced(_ paths: [String], _ manifest: Manifest) -> [Finding] {
        manifest.targets.values.filter { target in !paths.contains { $0.hasPrefix(target.folder + "/") } }
            .map { finding("\($0.name) is not in \($0.folder), where targets of \($0.layer.rawValue) are") }
            .sorted { $0.message < $1.message }
    }

    /// The module of an import, also of `public import Module` and `import struct Module.Type`.
    private static var importLine: Regex<(Substring, Substring)> {
        /^\s*(?:@\w+(?:\([^)]*\))?\s+|(?:public|package|internal|fileprivate|private)\s+)*import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)/
    }
}
