internal import Glibc

/// Runs a program until it exits, for the preparation of a test. It blocks the calling thread.
struct Command {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Returns: the standard output of the program.
    /// - Throws: `Failure` with the end of its output, if it does not exit with 0.
    @discardableResult
    static func run(_ arguments: [String]) throws(Failure) -> String {
        let ends = try makePipe()
        defer { close(ends.read) }
        let pid: pid_t
        do throws(Failure) {
            pid = try spawn(arguments, input: nil, output: ends.write)
        } catch {
            close(ends.write)
            throw error
        }
        close(ends.write)
        let output = readToEnd(ends.read)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else {
            throw Failure(description: "\(arguments.joined(separator: " ")): status \(status): \(output.suffix(2_000))")
        }
        return output
    }

    /// Starts a program without waiting for it. `input` is its standard input, `output` its standard output and error;
    /// nil: `/dev/null`.
    static func spawn(_ arguments: [String], input: Int32?, output: Int32?) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var copies: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        copies.append(nil)
        defer { for copy in copies { free(copy) } }
        var pid = pid_t()
        let status = posix_spawnp(&pid, arguments[0], &actions, nil, copies, environ)
        guard status == 0 else { throw Failure(description: "\(arguments[0]): \(String(cString: strerror(status)))") }
        return pid
    }

    private static func readToEnd(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 1) { buffer in
            while case let count = read(descriptor, buffer.baseAddress, buffer.count), count != 0 {
                if count > 0 {
                    bytes.append(contentsOf: buffer[..<count])
                } else if errno != EINTR {
                    return
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A pipe whose ends are not inherited by children, except an end that is passed to `spawn`.
    static func makePipe() throws(Failure) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}
