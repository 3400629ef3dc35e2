internal import Configuration
internal import EventLoop
internal import Jobs
internal import TLS

/// The address on which the api listens.
struct ListenAddress: Sendable {
    let host: String
    let port: UInt16

    init(reading settings: inout SettingsReader) {
        host = settings.string("API_HOST", default: "0.0.0.0", help: "Address or host name to listen on; :: for IPv6.")
        port = UInt16(
            settings.integer("API_PORT", default: 8000, in: 0...65_535, help: "Port to listen on; 0 for any free one."))
    }
}

/// The settings that only serving needs.
struct ServingSettings: Sendable {
    /// Of the root key. The key itself is not kept.
    let rootKey: Digest256
    let address: ListenAddress
    let threads: Int
    /// Connections to PostgreSQL, for each loop.
    let connectionsPerLoop: [Int]
    let connectionsMax: Int
    let payloadBytesMax: Int
    /// Nil: plain HTTP.
    let tls: TLSServerContext?
    let drainDelay: Duration
    let drainTimeout: Duration

    /// - Parameters:
    ///   - threads: event loops.
    ///   - connections: to PostgreSQL, of the process.
    init(reading settings: inout SettingsReader, threads: Int, connections: Int, needsKey: Bool) {
        self.threads = threads
        connectionsPerLoop = (0..<threads).map { connections / threads + ($0 < connections % threads ? 1 : 0) }
        rootKey = Self.rootKey(reading: &settings, isRequired: needsKey)
        address = ListenAddress(reading: &settings)
        connectionsMax = settings.integer(
            "API_CONNECTIONS_MAX", default: 10_000, in: 1...1_000_000,
            help: "Maximum number of open client connections; one more is answered with 503 and closed.")
        payloadBytesMax = settings.bytes(
            "JOB_PAYLOAD_MAX_BYTES", default: JobLimits.payloadBytesMax, in: 1_024...JobLimits.bulkBytesMax,
            help: "Maximum size of a job's payload.")
        tls = Self.tls(reading: &settings)
        drainDelay = settings.seconds(
            "API_DRAIN_DELAY_SECONDS", default: .zero, in: .zero ... .seconds(300),
            help:
                "Time after SIGTERM during which /ready answers 503 and everything else continues, so that load "
                + "balancers stop sending requests first.")
        drainTimeout = settings.seconds(
            "API_DRAIN_TIMEOUT_SECONDS", default: .seconds(25), in: .seconds(1) ... .seconds(3_600),
            help:
                "Time after SIGTERM, including the delay, after which open connections are closed. Keep it below the "
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
