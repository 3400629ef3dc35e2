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
        guard list("hostaddr", in: parameters) == nil, let names = list("host", in: parameters),
            names.contains(where: { !isSocketDirectory($0) })
        else { return [] }
        let ports = list("port", in: parameters) ?? [""]
        return names.enumerated().map { Host(name: $1, port: value(of: ports, forHost: $0)) }
    }

    /// The entries of a comma-separated parameter.
    private static func list(_ keyword: String, in parameters: [ConnectionParameter]) -> [String]? {
        parameters.first { $0.keyword == keyword }?.value.split(separator: ",", omittingEmptySubsequences: false)
            .map(String.init)
    }

    /// A single one, such as one port, is that of all hosts.
    private static func value(of list: [String], forHost index: Int) -> String {
        list.count == 1 ? list[0] : index < list.count ? list[index] : ""
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
        let lists = hostKeywords.compactMap { keyword in
            list(keyword, in: parameters).map { (keyword: keyword, values: $0) }
        }
        let count = lists.filter { $0.keyword != "port" }.map(\.values.count).max() ?? 0
        let isChoice =
            list("target_session_attrs", in: parameters) == ["prefer-standby"]
            || list("load_balance_hosts", in: parameters) == ["random"]
        guard count > 1, !isChoice else { return [parameters] }
        let others = parameters.filter { !hostKeywords.contains($0.keyword) }
        return (0..<count).map { index in
            others + lists.map { ConnectionParameter(keyword: $0.keyword, value: value(of: $0.values, forHost: index)) }
        }
    }

    /// The host, address and port, for messages.
    static func name(of parameters: [ConnectionParameter]) -> String {
        hostKeywords.compactMap { keyword in parameters.first { $0.keyword == keyword }?.value }
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}
