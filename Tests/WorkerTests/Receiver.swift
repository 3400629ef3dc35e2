import EventLoop
import Glibc
import Synchronization
import TLS
import Testing

/// A webhook receiver on the loopback address. It records requests byte for byte, and sends the given responses. It
/// shares no code with the client under test.
final class Receiver: Sendable {
    enum Response: Sendable {
        /// A complete response with this status, further header lines, and body.
        case status(Int, headers: String = "", body: String = "")
        /// These bytes, unchanged.
        case bytes(String)
        /// No response: the connection is closed.
        case close
        /// No response: the connection stays open.
        case silence
    }

    private struct State {
        var requests: [String] = []
        var connections = 0
        /// The number of connections that the client has closed.
        var ended = 0
    }

    let port: UInt16
    private let listener: Listener
    private let tls: TLSServerContext?
    private let response: @Sendable (_ number: Int) -> Response
    private let state = Mutex(State())

    /// - Parameter response: the response to the request with this number, from 0.
    init(on loop: Loop, tls: TLSServerContext? = nil, response: @escaping @Sendable (Int) -> Response) throws {
        listener = try Listener(address: .loopback(port: 0))
        port = listener.address.port ?? 0
        self.tls = tls
        self.response = response
        loop.spawn { [self] in await accept(on: loop) }
    }

    /// Heads and bodies as received.
    var requests: [String] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }
    var ended: Int { state.withLock { $0.ended } }

    func close() {
        listener.close { _ in }
    }

    private func accept(on loop: Loop) async {
        while let connection = try? await listener.accept(on: loop), let socket = try? connection.attach(to: loop) {
            state.withLock { $0.connections += 1 }
            loop.spawn { [self] in
                guard let tls else { return await serve(socket) }
                if let stream = try? await TLSStream.accept(socket, context: tls, deadline: nil) {
                    await serve(stream)
                }
            }
        }
    }

    private func serve(_ stream: any ByteStream) async {
        var received: [UInt8] = []
        while let request = await nextRequest(stream, &received) {
            let number = state.withLock { state in
                state.requests.append(request)
                return state.requests.count - 1
            }
            switch response(number) {
            case .status(let code, let headers, let body):
                let head = "HTTP/1.1 \(code) X\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n"
                try? await stream.write(Array((head + body).utf8), deadline: nil)
            case .bytes(let text):
                try? await stream.write(Array(text.utf8), deadline: nil)
                return stream.close()
            case .close:
                return stream.close()
            case .silence:
                var more: [UInt8] = []
                while let count = try? await stream.read(into: &more, atMost: 1_000, deadline: nil), count > 0 {}
                break
            }
        }
        state.withLock { $0.ended += 1 }
        stream.close()
    }

    /// The next complete request; nil after the client has closed.
    private func nextRequest(_ stream: any ByteStream, _ received: inout [UInt8]) async -> String? {
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end = text.utf8.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = text[..<end]
                let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length: ") }
                let length = Int(line?.dropFirst("content-length: ".count) ?? "0") ?? 0
                let headBytes = head.utf8.count
                if received.count >= headBytes + length {
                    let request = String(decoding: received[..<(headBytes + length)], as: UTF8.self)
                    received.removeFirst(headBytes + length)
                    return request
                }
            }
            guard let count = try? await stream.read(into: &received, atMost: 65_536, deadline: nil), count > 0 else {
                return nil
            }
        }
    }
}
