import EventLoop
import Glibc
import Jobs
import Testing
import Values

@testable import Worker

private var openDescriptors: Int {
    var count = 0
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    while readdir(directory) != nil { count += 1 }
    closedir(directory)
    return count
}

/// The largest resident size of this process so far (`ru_maxrss` would begin with that of the parent).
private var peakKibibytes: Int {
    guard let file = fopen("/proc/self/status", "re") else { return -1 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split {
            " \t\n".contains($0)
        }
        if words.first == "VmHWM:", words.count > 1 { return Int(words[1]) ?? -1 }
    }
    return -1
}

/// Each test runs in its own process, so that other tests do not change its descriptors, memory and limits.
@Suite struct ExecResourceTests {
    @Test func `many runs leave no open descriptor and no zombie`() async {
        await #expect(processExitsWith: .success) {
            try await onLoop { loop in
                let handler = shell("cat", on: loop)
                _ = await handler.run(leasedJob("0"))
                let before = openDescriptors
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            for number in 0..<50 {
                                #expect(await handler.run(leasedJob("\(number)")).resultText == "\(number)")
                            }
                        }
                    }
                }
                #expect(openDescriptors == before)
                #expect(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD)
            }
        }
    }

    @Test(arguments: ["yes", "cat /dev/zero"])
    func `unlimited output needs bounded memory, and does not block the loop`(source: String) async {
        await #expect(processExitsWith: .success) { [source] in
            try await onLoop { loop in
                let bytes = 64 * 1_048_576
                let flood = shell(
                    "\(source) | head -c \(bytes); echo; echo done; \(source) | head -c \(bytes) >&2", on: loop)
                _ = await shell("yes | head -c 1000000; exit 1", on: loop).run(leasedJob())
                let before = peakKibibytes
                async let result = flood.run(leasedJob())
                var longest = Duration.zero
                for _ in 0..<20 {
                    let start = MonotonicInstant.now()
                    try await loop.sleep(for: .milliseconds(10))
                    longest = max(longest, MonotonicInstant.now() - start)
                }
                #expect(await result.resultText == "\"done\"")
                #expect(longest < .seconds(1))
                #expect(peakKibibytes - before < 8 * 1_024)
            }
        }
    }

    @Test func `without free descriptors the attempt is a retry, and nothing leaks`() async {
        await #expect(processExitsWith: .success) {
            try await onLoop { loop in
                let handler = shell("echo 1", on: loop)
                #expect(await handler.run(leasedJob()).resultText == "1")
                // The limit applies to descriptor numbers: without gaps it limits their count.
                let highest = (0..<1_024).last { fcntl($0, F_GETFD) >= 0 } ?? 2
                while open("/dev/null", O_RDONLY | O_CLOEXEC) < highest {}
                let before = openDescriptors
                // From none to all of the descriptors that a start needs, so that each step of it fails once.
                let inUse = (0..<1_024).count { fcntl($0, F_GETFD) >= 0 }
                var failures = 0
                for spare in 0..<24 {
                    var limit = rlimit(rlim_cur: rlim_t(inUse + spare), rlim_max: 4_096)
                    #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                    let result = await handler.run(leasedJob())
                    if let error = result.retryError {
                        failures += 1
                        #expect(error.hasSuffix("Too many open files"))
                    } else {
                        #expect(result.resultText == "1")
                    }
                }
                #expect((8..<24).contains(failures))
                var limit = rlimit(rlim_cur: 4_096, rlim_max: 4_096)
                #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                #expect(openDescriptors == before)
                #expect(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD)
            }
        }
    }
}
