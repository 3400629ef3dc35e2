internal import EventLoop
internal import HTTP
internal import TLS
internal import Values

extension Client {
    /// A client for the webhooks of one handlers file. It connects only to the address in the origin.
    static func forWebhooks(on loop: Loop, tls: TLSClientContext) -> Client {
        var limits = ClientLimits()
        limits.bodyBytesMax = WebhookLimits.responseBytesMax
        return Client(on: loop, limits: limits) { origin, loop, deadline in
            guard let address = origin.address else { throw StreamError.failed("the origin has no checked address") }
            let end = min(deadline, .now() + WebhookLimits.connectTimeout)
            do throws(StreamError) {
                let socket = try await Socket.connect(to: address, on: loop, deadline: end)
                guard origin.isSecure else { return socket }
                return try await TLSStream.connect(over: socket, context: tls, host: origin.host, deadline: end)
            } catch {
                guard error == .timedOut, end < deadline else { throw error }
                throw StreamError.failed("no connection to \(address) within \(WebhookLimits.connectTimeout)")
            }
        }
    }
}
