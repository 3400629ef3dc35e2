internal import CLinux
internal import Glibc

/// How many processors this process may use at the same time.
public enum UsableProcessors {
    /// By its affinity (`taskset`, cpusets) and by the quota of its control group (a container's limit), rounded up;
    /// at least 1.
    public static func count() -> Int {
        let quota = contents(of: "/sys/fs/cgroup/cpu.max").flatMap(quota) ?? .max
        return max(1, min(Int(clinux_allowed_processors()), quota))
    }

    /// Reads `max 100000` (no limit: nil) or `150000 100000`, microseconds of processor time in so many of time
    /// (Linux, admin-guide/cgroup-v2, "cpu.max").
    static func quota(_ text: String) -> Int? {
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let granted = Int(fields[0]), let period = Int(fields[1]), granted > 0, period > 0
        else { return nil }
        return max(1, (granted - 1) / period + 1)
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
