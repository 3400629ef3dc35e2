internal import Configuration
internal import EventLoop
internal import HTTP
internal import Values
internal import Workers

/// `jobqueue-api health`: asks the api of this machine, for the probes of a container that has no `curl`. It reads only
/// where the api listens.
struct ProbeCommand: Sendable {
    /// Below what probes are given by the usual orchestrators: their own verdict says less.
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
        // Not whether the certificate is good: a running api has its own.
        isSecure = environment.values["TLS_CERT_FILE"]?.isEmpty == false
        needsReadiness = HealthCommand.needsReadiness(command)
    }

    /// Runs on the calling thread. 0: the api answers that it is well; 1: it does not.
    func run() -> Int32 {
        CommandLoop(name: HealthCommand.name).run { loop in
            let deadline = MonotonicInstant.now() + Self.patience
            return isSecure ? try await greet(on: loop, deadline) : try await ask(on: loop, deadline)
        }
    }

    private func ask(on loop: Loop, _ deadline: MonotonicInstant) async throws(ClientError) -> Int32 {
        let answer = try await Client(on: loop).send(
            ClientRequest(.get, needsReadiness ? "/ready" : "/health"), to: Origin(host: host, port: port),
            deadline: deadline)
        StandardStream.output.write(String(decoding: answer.body, as: UTF8.self) + "\n")
        return answer.status == .ok ? 0 : 1
    }

    /// With TLS no question can be asked: the certificate is made out to the name that clients use, and not to this
    /// machine's loopback. But whatever is no TLS is answered, by an alert or by the end of the connection, and only by a
    /// loop that turns.
    private func greet(on loop: Loop, _ deadline: MonotonicInstant) async throws -> Int32 {
        guard !needsReadiness else {
            StandardStream.output.write("whether it is ready cannot be asked over TLS: probe /ready by HTTPS\n")
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
