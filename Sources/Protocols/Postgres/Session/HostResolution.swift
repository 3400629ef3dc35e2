import EventLoop

/// Resolves host names on a thread and passes them to libpq as addresses (`hostaddr`), because libpq's own resolution
/// would block the loop. The name stays in `host`, because TLS verifies the certificate against it.
enum HostResolution {
    /// One entry of the comma-separated hosts and ports of the URL.
    struct Host: Equatable, Sendable {
        var name: String
        var port: String
    }

    /// The hosts of the URL; empty if none needs resolution or the URL has addresses.
    static func hosts(in parameters: [ConnectionParameter]) -> [Host] {
        func value(_ keyword: String) -> String? { parameters.first { $0.keyword == keyword }?.value }
        guard value("hostaddr") == nil, let names = value("host") else { return [] }
        let list = names.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard list.contains(where: { !isSocketDirectory($0) }) else { return [] }
        let ports = (value("port") ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        return list.enumerated().map { index, name in
            Host(name: name, port: ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : "")
        }
    }

    static func isSocketDirectory(_ host: String) -> Bool {
        host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@")
    }

    /// The parameters with every host name replaced by one entry for each of its addresses.
    static func resolve(_ parameters: [ConnectionParameter]) async throws(PostgresError) -> [ConnectionParameter] {
        let hosts = hosts(in: parameters)
        guard !hosts.isEmpty else { return parameters }
        var found: [(host: Host, address: String)] = []
        var lastFailure = ""
        for host in hosts {
            if isSocketDirectory(host.name) {
                found.append((host, ""))
                continue
            }
            do {
                for address in try await SocketAddress.resolve(host: host.name, port: 0) {
                    found.append((host, address.host))
                }
            } catch {
                lastFailure = "\(error)"
            }
        }
        guard !found.isEmpty else { throw .connectionFailed(reason: lastFailure) }
        return parameters.filter { !["host", "hostaddr", "port"].contains($0.keyword) } + [
            ConnectionParameter(keyword: "host", value: found.map(\.host.name).joined(separator: ",")),
            ConnectionParameter(keyword: "hostaddr", value: found.map(\.address).joined(separator: ",")),
            ConnectionParameter(keyword: "port", value: found.map(\.host.port).joined(separator: ",")),
        ]
    }
}
