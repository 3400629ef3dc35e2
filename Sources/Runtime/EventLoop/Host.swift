internal import Glibc

/// The machine or pod on which this process runs.
public enum Host {
    /// The result of `gethostname(2)`; `localhost` if it is empty or fails.
    public static var name: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            guard let base = buffer.baseAddress, gethostname(base, buffer.count - 1) == 0 else { return "localhost" }
            let name = String(cString: base)
            return name.isEmpty ? "localhost" : name
        }
    }
}
