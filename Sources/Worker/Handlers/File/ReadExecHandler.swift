internal import EventLoop
internal import JSON
internal import Jobs

extension HandlersFileParser {
    /// `{"exec": ["python3", "send.py"], "timeout_seconds": 60, "kill_grace_seconds": 5, "environment": {...},
    /// "working_directory": "...", "user": "nobody", "takeover": "lease"}`
    mutating func readExecHandler() throws(JSONError) -> (any Handler)? {
        let before = problems.count
        var command = ExecCommand(executable: "", arguments: [], workingDirectory: directory)
        command.home = home
        var takeover = Takeover.heartbeat
        var programPlace: Int?
        let known = [
            "exec", "timeout_seconds", "kill_grace_seconds", "environment", "working_directory", "user", "takeover",
        ]
        try readObject(known: known) { parser, key throws(JSONError) in
            switch key {
            case "exec":
                programPlace = try parser.readProgram(into: &command)
            case "timeout_seconds":
                command.timeout = try parser.readSeconds(0.001...ExecLimits.timeoutSecondsMax)
            case "kill_grace_seconds":
                command.killGrace = try parser.readSeconds(0...ExecLimits.killGraceSecondsMax) ?? command.killGrace
            case "environment":
                command.environment = try parser.readEnvironment()
            case "user":
                command.user = try parser.readUser()
            case "takeover":
                takeover = try parser.readTakeover()
            default:
                command.workingDirectory = try parser.readDirectory() ?? command.workingDirectory
            }
        }
        if let programPlace { find(&command, at: programPlace) }
        return problems.count == before ? ExecHandler(command: command, takeover: takeover, loop: worker.loop) : nil
    }

    /// The worker's own home directory.
    private var home: String {
        let home = worker.environment["HOME"] ?? ""
        return home.utf8.first == UInt8(ascii: "/") ? home : "/"
    }

    /// - Returns: the place of the program's name.
    private mutating func readProgram(into command: inout ExecCommand) throws(JSONError) -> Int? {
        let start = try nextOffset()
        guard try collectingTypeError({ reader throws(JSONError) in try reader.beginArray() }) != nil else {
            return nil
        }
        var places: [Int] = []
        while try reader.nextElement() {
            places.append(try nextOffset())
            command.arguments.append(try readText() ?? "")
        }
        if places.isEmpty {
            add("must be a program and its arguments, such as [\"python3\", \"send.py\"]", at: start)
        }
        return places.first
    }

    /// After all members: the search path is in the environment.
    private mutating func find(_ command: inout ExecCommand, at place: Int) {
        do throws(ProgramError) {
            command.executable = try findProgram(
                command.arguments[0], searchPath: command.environment["PATH"] ?? ExecCommand.searchPath)
        } catch {
            add(error.reason, at: place)
        }
    }

    private struct ProgramError: Error {
        let reason: String
    }

    /// The absolute path of a program: a name without a slash is searched in the search path; other paths are relative
    /// to the directory of the handlers file.
    private func findProgram(_ name: String, searchPath: String) throws(ProgramError) -> String {
        guard !name.isEmpty else { throw ProgramError(reason: "the name of the program is empty") }
        guard name.utf8.contains(UInt8(ascii: "/")) else {
            if let path = ProcessSpec.findExecutable(name, searchPath: searchPath) { return path }
            throw ProgramError(reason: "program \"\(name)\" was not found in \(searchPath)")
        }
        let path = FilePath.absolute(name, from: directory)
        switch FilePath.kind(of: path) {
        case nil: throw ProgramError(reason: "program \(path) was not found")
        case .file: break
        case .directory, .other: throw ProgramError(reason: "program \(path) is not a regular file")
        }
        guard FilePath.isExecutable(path) else {
            throw ProgramError(reason: "program \(path) is not executable by the user of the worker")
        }
        return path
    }

    private mutating func readEnvironment() throws(JSONError) -> [String: String] {
        var environment: [String: String] = [:]
        guard try collectingTypeError({ reader throws(JSONError) in try reader.beginObject() }) != nil else {
            return [:]
        }
        var seen = JSONNameSet()
        while let key = try reader.nextMember() {
            let name = key.text
            if !seen.insert(key) {
                add("\"\(name)\" is a duplicate member", at: key.offset)
            } else if !isVariableName(name) {
                add(
                    "\"\(name)\" is not a variable name: must be letters, digits and _, without a digit first",
                    at: key.offset)
            } else if let reason = ExecCommand.reservedVariable(name) {
                add("\"\(name)\": \(reason)", at: key.offset)
            }
            let place = try nextOffset()
            guard let value = try readText() else { continue }
            if name == "PATH", !isSearchPath(value) {
                add("PATH must be absolute directories, separated by colons", at: place)
                continue
            }
            environment[name] = value
        }
        return environment
    }

    /// Whether no part of it is relative: then the same name would find other programs in other working directories.
    private func isSearchPath(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).allSatisfy {
            $0.first == UInt8(ascii: "/")
        }
    }

    private func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    private mutating func readUser() throws(JSONError) -> SystemUser? {
        let start = try nextOffset()
        guard let name = try readText() else { return nil }
        guard let user = SystemUser(named: name) else {
            add("there is no user \(name) on this machine", at: start)
            return nil
        }
        if user.user == 0 {
            add("programs run as root only if the worker does, and no user is named", at: start)
        } else if !SystemUser.canChange {
            add("only a worker that runs as root can run programs as another user", at: start)
        }
        return user
    }

    private mutating func readDirectory() throws(JSONError) -> String? {
        let start = try nextOffset()
        guard let text = try readText() else { return nil }
        let path = FilePath.absolute(text, from: directory)
        guard FilePath.kind(of: path) == .directory else {
            add("\(path) is not a directory", at: start)
            return nil
        }
        return path
    }
}
