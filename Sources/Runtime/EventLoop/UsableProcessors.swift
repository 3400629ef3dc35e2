internal import CLinux
internal import Glibc

/// The number of processors that this process may use at the same time.
public enum UsableProcessors {
    /// The lower of its CPU affinity (`taskset`, cpusets) and the CPU quota of its control group (a container's limit),
    /// rounded up; 1 at least.
    public static func count() -> Int {
        let quota = contents(of: "/sys/fs/cgroup/cpu.max").flatMap(quota) ?? .max
        return max(1, min(Int(clinux_allowed_processors()), quota))
    }

    /// Parses `cpu.max`: `150000 100000` is 150,000 microseconds of processor time per 100,000 microseconds; `max
    /// 100000` is no limit, which gives nil (Linux, admin-guide/cgroup-v2).
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
