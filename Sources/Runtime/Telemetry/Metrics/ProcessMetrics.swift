import Glibc

/// The standard `process_*` metrics of Prometheus clients, and build information.
public enum ProcessMetrics {
    /// The current `process_*` values of this process. A metric whose source cannot be read (no `/proc`) is omitted.
    public static func families() -> [MetricFamily] {
        var families: [MetricFamily] = []
        func add(_ kind: MetricDeclaration.Kind, _ name: String, _ help: String, _ value: Double?) {
            guard let value else { return }
            var family = MetricFamily(kind, name, help: help)
            family.add(value)
            families.append(family)
        }
        let pages = memoryPages()
        let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
        add(.counter, "process_cpu_seconds_total", "User and system CPU time spent.", cpuSeconds())
        add(
            .gauge, "process_resident_memory_bytes", "Resident memory size.",
            pages.map { Double($0.resident) * pageBytes })
        add(
            .gauge, "process_virtual_memory_bytes", "Virtual memory size.",
            pages.map { Double($0.virtual) * pageBytes })
        add(.gauge, "process_open_fds", "Open file descriptors.", openDescriptors())
        add(.gauge, "process_max_fds", "Largest number of open file descriptors.", descriptorsMax())
        add(.gauge, "process_start_time_seconds", "Start of the process, in seconds since 1970.", startSeconds)
        return families
    }

    /// `process_loop_turn_max_seconds`: as long an event had to wait for its event loop.
    public static func longestLoopTurn(_ seconds: Double) -> MetricFamily {
        var family = MetricFamily(
            .gauge, "process_loop_turn_max_seconds",
            help: "Longest turn of an event loop of this process in the last one to two minutes.")
        family.add(seconds)
        return family
    }

    /// `jobqueue_build_info{version}`; the value is always 1.
    public static func build(version: String) -> MetricFamily {
        var family = MetricFamily(
            .gauge, "jobqueue_build_info", help: "Always 1. The label contains the version.", labels: ["version"])
        family.add(1, version)
        return family
    }

    private static func cpuSeconds() -> Double? {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The first two numbers of `/proc/self/statm` (proc(5)).
    private static func memoryPages() -> (virtual: Int, resident: Int)? {
        guard let fields = contents(of: "/proc/self/statm")?.split(separator: " "), fields.count >= 2,
            let virtual = Int(fields[0]), let resident = Int(fields[1])
        else { return nil }
        return (virtual, resident)
    }

    private static func openDescriptors() -> Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil { entries += 1 }
        // Without `.`, `..` and the descriptor of the directory.
        return Double(entries - 3)
    }

    private static func descriptorsMax() -> Double? {
        let limit = sysconf(Int32(_SC_OPEN_MAX))
        return limit > 0 ? Double(limit) : nil
    }

    /// Start of the process: the boot time (`btime` of `/proc/stat`) plus field 22 of `/proc/self/stat` in clock ticks.
    /// The fields are counted after the command's name, which may contain spaces and parentheses.
    private static let startSeconds: Double? = {
        guard let status = contents(of: "/proc/self/stat"), let nameEnd = status.lastIndex(of: ")"),
            let boot = contents(of: "/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootSeconds = Double(boot.dropFirst(6))
        else { return nil }
        let fields = status[status.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        return bootSeconds + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()

    /// The contents of a file in `/proc`.
    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}
