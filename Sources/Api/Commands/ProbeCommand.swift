internal import Configuration
internal import EventLoop
internal import HTTP
internal import Service
internal import Values

/// `jobqueue-api health`: sends a request to the api of this machine, for probes of a container that has no `curl`. It
/// reads only the settings of the address.
struct ProbeCommand: Sendable {
    /// Below the usual timeouts of probes, so that the reason of a failure is printed.
    private static let patience = Duration.seconds(4)

    private let host: String
    private let port: UInt16
    private let isSecure: Bool
    private let needsReadiness: Bool

    init(
        reading settings: inout SettingsReader, _ environment: ProcessEnvironment,
        _ command: CommandLineArguments.Command
    ) {
        let address = ListenAddress(reading: &settings)
        host = ["0.0.0.0": "127.0.0.1", "::": "::1"][address.host] ?? address.host
        port = address.port
        // The certificate is not read: the running api has its own.
        isSecure = environment.values["TLS_CERT_FILE"]?.isEmpty == false
        needsReadiness = HealthCommand.needsReadiness(command)
    }

    var plan: ProcessPlan {
        .command(HealthCommand.name) { process in
            let deadline = MonotonicInstant.now() + Self.patience
            return isSecure
                ? try await greet(on: process.loop, deadline) : try await request(on: process.loop, deadline)
        }
    }

    private func request(on loop: Loop, _ deadline: MonotonicInstant) async throws(ClientError) -> Int32 {
        let answer = try await Client(on: loop).send(
            ClientRequest(.get, needsReadiness ? "/ready" : "/health"), to: Origin(host: host, port: port),
            deadline: deadline)
        StandardStream.output.write(String(decoding: answer.body, as: UTF8.self))
        return answer.status == .ok ? ExitStatus.success : ExitStatus.failure
    }

    /// With TLS no request can be sent: the certificate is for the name that clients use, and not for the loopback
    /// address. But bytes that are not TLS are answered, by an alert or by the end of the connection, and only by a
    /// loop that runs.
    private func greet(on loop: Loop, _ deadline: MonotonicInstant) async throws -> Int32 {
        guard !needsReadiness else {
            StandardStream.output.write("readiness cannot be probed over TLS: probe /ready by HTTPS\n")
            return 1
        }
        guard let address = try await SocketAddress.resolve(host: host, port: port).first else { return 1 }
        let socket = try await Socket.connect(to: address, on: loop, deadline: deadline)
        defer { socket.close() }
        try await socket.write(Array("hello\n".utf8), deadline: deadline)
        var answer: [UInt8] = []
        do throws(StreamError) {
            _ = try await socket.read(into: &answer, atMost: 64, deadline: deadline)
        } catch .disconnected {
            // An end as well.
        }
        StandardStream.output.write("alive\n")
        return 0
    }
}
