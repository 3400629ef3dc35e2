internal import Configuration

/// The file of `WORKER_HANDLERS_FILE`: the handlers of this worker by job type.
enum HandlersFile {
    static let bytesMax = 1_048_576

    /// Reads the file and returns its table. Paths in it are relative to its own directory.
    ///
    /// Throws all errors of the file at once. After a failed reload the worker keeps its current table.
    static func load(path: String, for worker: HandlerDependencies) throws(HandlersFileError) -> HandlerTable {
        let bytes: [UInt8]
        do throws(SmallFileError) {
            bytes = try SmallFile.bytes(of: path, bytesMax: bytesMax)
        } catch {
            throw HandlersFileError(path: path, problems: [HandlersFileProblem(message: error.problem)])
        }
        var parser = HandlersFileParser(bytes, directory: directory(of: path), worker: worker)
        let handlers = parser.parse()
        guard parser.problems.isEmpty else { throw HandlersFileError(path: path, problems: parser.problems.sorted()) }
        return HandlerTable(handlers, builtIn: HandlerTable.builtIn(on: worker.loop))
    }

    /// The absolute path of the directory that the file is in.
    private static func directory(of path: String) -> String {
        let absolute = FilePath.absolute(path, from: FilePath.currentDirectory)
        guard let slash = absolute.utf8.lastIndex(of: UInt8(ascii: "/")), slash > absolute.startIndex else {
            return "/"
        }
        return String(absolute[..<slash])
    }
}

/// All errors of a handlers file.
struct HandlersFileError: Error, CustomStringConvertible {
    let path: String
    let problems: [HandlersFileProblem]

    /// One line for each problem, in the format of compilers: `handlers.json:3:17: program send.py was not found`.
    var description: String {
        problems.map { problem in
            guard let place = problem.place else { return "\(path): \(problem.message)" }
            return "\(path):\(place.line):\(place.column): \(problem.message)"
        }.joined(separator: "\n")
    }
}

/// One error of a handlers file.
struct HandlersFileProblem: Hashable, Comparable, Sendable {
    /// Line and column, from 1; columns count Unicode scalars.
    struct Place: Hashable, Sendable {
        var line: Int
        var column: Int
    }

    /// nil: the whole file.
    var place: Place?
    var message: String

    /// The order of the places in the file.
    static func < (left: HandlersFileProblem, right: HandlersFileProblem) -> Bool {
        (left.place?.line ?? 0, left.place?.column ?? 0) < (right.place?.line ?? 0, right.place?.column ?? 0)
    }
}
