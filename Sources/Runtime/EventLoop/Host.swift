internal import Glibc

/// The machine, or the pod, that this process runs on.
public enum Host {
    /// `gethostname(2)`; `localhost` if it has none.
    public static var name: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            guard let base = buffer.baseAddress, gethostname(base, buffer.count - 1) == 0 else { return "localhost" }
            let name = String(cString: base)
            return name.isEmpty ? "localhost" : name
        }
    }
}
