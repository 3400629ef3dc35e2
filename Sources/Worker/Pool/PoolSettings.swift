internal import Configuration
internal import EventLoop
internal import JSON
internal import Pools

/// The settings of a worker that is a member of a pool.
struct PoolSettings: Sendable {
    let pool: String
    let ordinal: Int32
    let host: String
    let leaseDuration: Duration
    let pollInterval: Duration
    /// The path of the member's copy of `config.yml`; nil: none is written.
    let configPath: String?

    /// The member's name in `config.yml`: the host name without its domain if that ends with the ordinal, otherwise the
    /// pool and the ordinal. Two members never have the same name.
    var memberName: String {
        let name = String(host.prefix { $0 != "." })
        return name.hasSuffix("-\(ordinal)") ? name : "\(pool)-\(ordinal)"
    }

    /// nil: the worker is no member of a pool.
    init?(reading reader: inout SettingsReader, host: String) {
        let pool = reader.optionalString(
            "POOL_NAME", help: "Pool that this worker is a member of.",
            accepts: "a name of A-Z a-z 0-9 . _ : / -", where: TextRule.name.accepts)
        let range = PoolLimits.ordinal
        let ordinal = reader.optionalString(
            "POOL_ORDINAL", help: "Ordinal of this member; default: the number at the end of the host name.",
            accepts: "an integer from \(range.lowerBound) to \(range.upperBound)",
            where: { Self.ordinal($0[...]) != nil })
        leaseDuration = reader.seconds(
            "POOL_LEASE_DURATION_SECONDS", default: .seconds(30), in: .seconds(2)...(.seconds(3_600)),
            help: "Duration of the membership and of the workload leases; renewed after a third.")
        pollInterval = reader.seconds(
            "POOL_POLL_INTERVAL_SECONDS", default: .seconds(5), in: .milliseconds(100)...(.seconds(3_600)),
            help: "Interval between reads of the assignment when no notification arrives.")
        configPath = reader.optionalString(
            "POOL_CONFIG_PATH",
            help: "File that the member keeps equal to GET config.yml of its pool.",
            accepts: "the path of a file in a directory in which this worker may create files")
        guard let pool else {
            reader.require(ordinal == nil, of: "POOL_ORDINAL", otherwise: "requires POOL_NAME")
            reader.require(configPath == nil, of: "POOL_CONFIG_PATH", otherwise: "requires POOL_NAME")
            return nil
        }
        self.pool = pool
        self.host = host
        let own = ordinal.map { Self.ordinal($0[...]) } ?? Self.ordinal(ofHost: host)
        reader.require(
            own != nil, of: "POOL_ORDINAL",
            otherwise: "is not set, and the host name (\(host)) does not end with a number"
        )
        self.ordinal = own ?? 0
    }

    /// The ordinal at the end of a host name, with or without a domain: 3 for `swarm-worker-3`, the name that a
    /// StatefulSet gives a pod.
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
