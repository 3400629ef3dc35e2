internal import Configuration
internal import EventLoop
internal import Jobs
internal import TLS

/// Where the api listens.
struct ListenAddress: Sendable {
    let host: String
    let port: UInt16

    init(reading settings: inout SettingsReader) {
        host = settings.string("API_HOST", default: "0.0.0.0", help: "Address or host name to listen on; :: for IPv6.")
        port = UInt16(
            settings.integer("API_PORT", default: 8000, in: 0...65_535, help: "Port to listen on; 0 for any free one."))
    }
}

/// What only serving needs to know.
struct ServingSettings: Sendable {
    /// Of the root key. The key itself is forgotten once it is read.
    let rootKey: Digest256
    let address: ListenAddress
    let threads: Int
    /// Connections to PostgreSQL that each loop may have.
    let connectionsPerLoop: [Int]
    let connectionsMax: Int
    let payloadBytesMax: Int
    /// Nil: plain HTTP.
    let tls: TLSServerContext?
    let drainDelay: Duration
    let drainTimeout: Duration

    /// The least that a loop can work with: one connection for hot statements, one for lists, one for NOTIFY.
    static let connectionsPerLoopMin = 3

    init(reading settings: inout SettingsReader, needsKey: Bool) {
        rootKey = Self.rootKey(reading: &settings, isRequired: needsKey)
        address = ListenAddress(reading: &settings)
        threads = settings.integer(
            "API_THREADS", default: min(UsableProcessors.count(), 4),
            defaultText: "the processors that the process may use, at most 4", in: 1...64,
            help: "Event loops, one thread each.")
        connectionsPerLoop = Self.connections(reading: &settings, threads: threads)
        connectionsMax = settings.integer(
            "API_CONNECTIONS_MAX", default: 10_000, in: 1...1_000_000,
            help: "Open connections of clients; one more is told 503 and closed.")
        payloadBytesMax = settings.bytes(
            "JOB_PAYLOAD_MAX_BYTES", default: JobLimits.payloadBytesMax, in: 1_024...JobLimits.bulkBytesMax,
            help: "The longest payload of a job.")
        tls = Self.tls(reading: &settings)
        drainDelay = settings.seconds(
            "API_DRAIN_DELAY_SECONDS", default: .zero, in: .zero ... .seconds(300),
            help:
                "After SIGTERM: for how long /ready answers 503 while everything else goes on, so that load balancers "
                + "turn away first.")
        drainTimeout = settings.seconds(
            "API_DRAIN_TIMEOUT_SECONDS", default: .seconds(25), in: .seconds(1) ... .seconds(3_600),
            help: "After SIGTERM: when connections that are still open are cut, the delay included. Keep it below the "
                + "pod's terminationGracePeriodSeconds.")
        settings.require(
            drainDelay < drainTimeout, of: "API_DRAIN_DELAY_SECONDS", "API_DRAIN_TIMEOUT_SECONDS",
            otherwise: "the delay must be shorter than the timeout, which includes it")
    }

    private static func rootKey(reading settings: inout SettingsReader, isRequired: Bool) -> Digest256 {
        let help = "The root key, which clients send as Authorization: Bearer KEY. Make one with: openssl rand -hex 32"
        let key =
            isRequired
            ? settings.secret("API_SECRET_KEY", charactersMin: 32, help: help)
            : settings.optionalSecret("API_SECRET_KEY", charactersMin: 32, help: help)
        return SHA256.digest(of: Array((key?.revealed ?? "").utf8))
    }

    private static func connections(reading settings: inout SettingsReader, threads: Int) -> [Int] {
        let size = settings.integer(
            "DATABASE_POOL_SIZE", default: max(16, connectionsPerLoopMin * threads),
            defaultText: "16, or 3 for each of API_THREADS if that is more", in: 3...1_000,
            help: "Connections to PostgreSQL of the whole process, opened when they are needed.")
        settings.require(
            size >= connectionsPerLoopMin * threads, of: "DATABASE_POOL_SIZE", "API_THREADS",
            otherwise: "\(threads) threads need at least \(connectionsPerLoopMin * threads) connections, 3 for each")
        return (0..<threads).map { size / threads + ($0 < size % threads ? 1 : 0) }
    }

    private static func tls(reading settings: inout SettingsReader) -> TLSServerContext? {
        let certificate = settings.optionalFile(
            "TLS_CERT_FILE", help: "PEM certificate, its issuers after it. With TLS_KEY_FILE the api speaks HTTPS only."
        )
        let key = settings.optionalFile("TLS_KEY_FILE", help: "PEM private key. Both files are read again on change.")
        guard let certificate, let key else {
            // A file that cannot be read is a problem already.
            let isAlone = (certificate ?? key) != nil && !settings.problems.contains { $0.setting.hasPrefix("TLS_") }
            settings.require(
                !isAlone, of: "TLS_CERT_FILE", "TLS_KEY_FILE", otherwise: "one is set without the other")
            return nil
        }
        do throws(TLSFileError) {
            return try TLSServerContext(certificateFile: certificate, keyFile: key)
        } catch {
            settings.require(false, of: "TLS_CERT_FILE", "TLS_KEY_FILE", otherwise: error.description)
            return nil
        }
    }
}
