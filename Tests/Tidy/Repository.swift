import Foundation

/// The files of the checkout that hold these tests.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What no rule looks into: what was built or fetched, and what git keeps.
    private static let skipped: Set<String> = [".build", ".local", ".git", "node_modules", "__pycache__"]

    /// All files, by their paths from the root, sorted.
    static let paths: [String] = {
        var paths: [String] = []
        walk("", into: &paths)
        return paths.sorted()
    }()

    private static func walk(_ directory: String, into paths: inout [String]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path + "/" + directory)) ?? []
        for name in names where !skipped.contains(name) {
            let path = directory.isEmpty ? name : "\(directory)/\(name)"
            if isDirectory(path) { walk(path, into: &paths) } else { paths.append(path) }
        }
    }

    static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: "\(root.path)/\(path)", isDirectory: &isDirectory)
            && isDirectory.boolValue
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(root.path)/\(path)")
    }

    /// Whether a path is another one, or below it.
    static func path(_ path: String, isIn folder: String) -> Bool {
        path == folder || path.hasPrefix(folder + "/")
    }

    static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "\(root.path)/\(path)")
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func swiftSources(under folder: String) throws -> [SwiftSource] {
        try paths.filter { $0.hasPrefix("\(folder)/") && $0.hasSuffix(".swift") }
            .map { SwiftSource(path: $0, text: try text($0)) }
    }

    static func manifest() throws -> Manifest {
        Manifest(try text("Package.swift"))
    }
}
