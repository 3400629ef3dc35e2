internal import EventLoop
internal import HTTP
internal import Service
internal import Synchronization
internal import TLS
internal import Telemetry
internal import Values

/// The HTTP server as a service. Its drain breaks no promise (`Server.drain`): `/ready` answers 503 at once; after
/// API_DRAIN_DELAY_SECONDS no connection is accepted any more, and requests under way are answered.
final class HTTPService: ProcessService {
    let name = "http"
    private let server: Server
    private let settings: ServingSettings
    private let readiness: Readiness
    private let process: ProcessContext
    private let drained: WakeSignal
    private let connectionsCut = Mutex(0)

    init(_ server: Server, _ settings: ServingSettings, _ readiness: Readiness, in process: ProcessContext) {
        self.server = server
        self.settings = settings
        self.readiness = readiness
        self.process = process
        drained = WakeSignal(on: process.loop)
    }

    func start() async throws {
        let upgrade = settings.tls.map(Self.upgrade)
        for address in try await SocketAddress.resolve(host: settings.address.host, port: settings.address.port) {
            let bound = try server.listen(on: address, upgrade: upgrade)
            process.logger.info(
                "listening",
                [
                    "address": .text(bound), "tls": .boolean(upgrade != nil), "threads": .integer(settings.threads),
                    "version": .string(ProductVersion.text),
                ])
        }
    }

    private static func upgrade(to context: TLSServerContext) -> Server.StreamUpgrade {
        { socket, deadline in try await TLSStream.accept(socket, context: context, deadline: deadline) }
    }

    func drain(until graceEnd: MonotonicInstant) {
        readiness.beginDraining()
        drain(until: graceEnd, readinessDelay: settings.drainDelay)
    }

    /// Skips what is left of the delay.
    func hurry(until graceEnd: MonotonicInstant) {
        drain(until: graceEnd, readinessDelay: .zero)
    }

    private func drain(until deadline: MonotonicInstant, readinessDelay: Duration) {
        process.loop.spawn { [self] in
            let report = await server.drain(deadline: deadline, readinessDelay: readinessDelay)
            connectionsCut.withLock { $0 = max($0, report.cut) }
            drained.wake()
        }
    }

    func stop() async {
        guard await drained.waitUnlessCancelled() else { return }
        process.logger.info("drained", ["connections_cut": .integer(connectionsCut.withLock { $0 })])
    }
}
