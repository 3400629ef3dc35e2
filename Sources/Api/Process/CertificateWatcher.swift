internal import Service
internal import TLS
internal import Telemetry

/// Reads the certificate and its key again when they have changed, and logs what is wrong with them.
struct CertificateWatcher: PeriodicTask {
    static let interval = Duration.seconds(2)

    let name = "watch certificate"
    let failureMessage = "the new certificate cannot be used; the previous one stays in use"
    let failureLevel = LogLevel.warning
    let tls: TLSServerContext
    let logger: Logger
    private var isFirst = true

    init(tls: TLSServerContext, logger: Logger) {
        self.tls = tls
        self.logger = logger
    }

    mutating func runOnce() async throws(TLSFileError) -> NoReport {
        let isNew = try tls.reloadIfChanged()
        if isNew { logger.info("the certificate was renewed", ["file": .string(tls.certificateFile)]) }
        if isNew || isFirst { for warning in tls.warnings { logger.warning("certificate: \(warning)") } }
        isFirst = false
        return NoReport()
    }
}
