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

    private static let hostKeywords = ["host", "hostaddr", "port"]

    /// The parameters for each host alone. Not split if the choice between hosts depends on all of them.
    static func split(_ parameters: [ConnectionParameter]) -> [[ConnectionParameter]] {
        func values(_ keyword: String) -> [String]? {
            parameters.first { $0.keyword == keyword }?.value.split(separator: ",", omittingEmptySubsequences: false)
                .map(String.init)
        }
        let lists = hostKeywords.compactMap { keyword in values(keyword).map { (keyword: keyword, values: $0) } }
        let count = max(values("host")?.count ?? 0, values("hostaddr")?.count ?? 0)
        let isChoice =
            values("target_session_attrs") == ["prefer-standby"] || values("load_balance_hosts") == ["random"]
        guard count > 1, !isChoice else { return [parameters] }
        let others = parameters.filter { !hostKeywords.contains($0.keyword) }
        return (0..<count).map { index in
            others
                + lists.map { list in
                    // One port is that of all hosts.
                    let value =
                        list.values.count == 1 ? list.values[0] : index < list.values.count ? list.values[index] : ""
                    return ConnectionParameter(keyword: list.keyword, value: value)
                }
        }
    }

    /// The host, address and port, for messages.
    static func name(of parameters: [ConnectionParameter]) -> String {
        hostKeywords.compactMap { keyword in parameters.first { $0.keyword == keyword }?.value }
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}
