internal import Configuration
internal import EventLoop
internal import JSON
internal import Pools

/// What the environment says to a worker that is a member of a pool.
struct PoolSettings: Sendable {
    let pool: String
    let ordinal: Int32
    let host: String
    let leaseDuration: Duration
    let pollInterval: Duration
    /// Where the member writes its copy of `config.yml`; nil: nowhere.
    let configPath: String?

    /// What `config.yml` calls the member: its host, if that ends with the ordinal; so two members never have one name.
    var memberName: String {
        let name = String(host.prefix { $0 != "." })
        return name.hasSuffix("-\(ordinal)") ? name : "\(pool)-\(ordinal)"
    }

    /// nil: the worker is no member of a pool.
    init?(reading reader: inout SettingsReader, host: String) {
        let pool = reader.optionalString(
            "POOL_NAME", help: "The pool that this worker is a member of.",
            accepts: "a name of A-Z a-z 0-9 . _ : / -", where: TextRule.name.accepts)
        let range = PoolLimits.ordinal
        let ordinal = reader.optionalString(
            "POOL_ORDINAL", help: "Which member it is; by default the number at the end of the host's name.",
            accepts: "an integer from \(range.lowerBound) to \(range.upperBound)",
            where: { Self.ordinal($0[...]) != nil })
        leaseDuration = reader.seconds(
            "POOL_LEASE_DURATION_SECONDS", default: .seconds(30), in: .seconds(2)...(.seconds(3_600)),
            help: "How long a member and its workloads wait for one that is not heard of; renewed at a third.")
        pollInterval = reader.seconds(
            "POOL_POLL_INTERVAL_SECONDS", default: .seconds(5), in: .milliseconds(100)...(.seconds(3_600)),
            help: "Between two looks at what the member is to run, if no notification comes.")
        configPath = reader.optionalString(
            "POOL_CONFIG_PATH",
            help: "Where the member writes what each member has to run, as GET config.yml shows it.",
            accepts: "the path of a file in a directory that this worker may write to")
        guard let pool else {
            reader.require(ordinal == nil, of: "POOL_ORDINAL", otherwise: "is of no use without POOL_NAME")
            reader.require(configPath == nil, of: "POOL_CONFIG_PATH", otherwise: "is of no use without POOL_NAME")
            return nil
        }
        self.pool = pool
        self.host = host
        let own = ordinal.map { Self.ordinal($0[...]) } ?? Self.ordinal(ofHost: host)
        reader.require(
            own != nil, of: "POOL_ORDINAL", otherwise: "is not set, and the host's name (\(host)) does not end with one"
        )
        self.ordinal = own ?? 0
    }

    /// Of `swarm-worker-3`, as a StatefulSet names its pods, also with a domain behind it: 3.
    static func ordinal(ofHost host: String) -> Int32? {
        let name = host.prefix { $0 != "." }
        guard let dash = name.lastIndex(of: "-") else { return nil }
        return ordinal(name[name.index(after: dash)...])
    }

    private static func ordinal(_ digits: Substring) -> Int32? {
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int32(digits), PoolLimits.ordinal.contains(number)
        else { return nil }
        return number
    }
}
