internal import Values

/// Warnings about misspelt variables.
enum UnknownVariables {
    static func warnings(about values: [String: String], known: [String], prefixes: [String]) -> [String] {
        values.keys.sorted().compactMap { name in
            guard prefixes.contains(where: name.hasPrefix), !known.contains(name),
                !isServiceLink(name, value: values[name] ?? "")
            else { return nil }
            let nearest = Spelling.nearest(to: name, among: known)
            return "\(Quoted.text(name)) is not a known variable"
                + (nearest.map { "; did you mean \($0)?" } ?? "")
        }
    }

    /// Whether the variable is one of those that Kubernetes sets for each Service of the namespace. For a Service named
    /// `jobqueue-api` these are `JOBQUEUE_API_SERVICE_HOST`, `JOBQUEUE_API_PORT=tcp://...`,
    /// `JOBQUEUE_API_PORT_8000_TCP_ADDR` and others.
    static func isServiceLink(_ name: String, value: String) -> Bool {
        name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || isServiceAddress(value)
            || (name.contains("_PORT_") && (name.contains("_TCP_") || name.contains("_UDP_")))
    }

    /// Whether the value is one that Kubernetes sets for `<SERVICE>_PORT`. A Service named `api` sets `API_PORT`.
    static func isServiceAddress(_ value: String) -> Bool {
        value.hasPrefix("tcp://") || value.hasPrefix("udp://")
    }
}
