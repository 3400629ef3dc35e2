// All limits of the module. Sizes are in bytes, times are `Duration`.

/// Limits on the syntax of one request or response (RFC 9112; RFC 9110 section 2.3 requires a recipient to defend
/// itself with such limits). Input beyond a limit is rejected before it is stored.
public struct MessageLimits: Sendable, Equatable {
    /// Maximum length of a request line or status line, without its CRLF. Beyond: 414.
    public var startLineBytesMax = 8 * 1024
    /// Maximum length of a head: start line and field lines with their line ends; up to 65,535, because a parsed head
    /// addresses its fields with 16 bits. Beyond: 431.
    public var headBytesMax = 32 * 1024
    /// Maximum number of field lines in a head. Beyond: 431.
    public var fieldCountMax = 100
    /// Maximum length of the line that opens a chunk: size and extensions, without CRLF. Beyond: 400.
    public var chunkLineBytesMax = 256
    /// Maximum number of bytes of chunk extensions in a whole body. Extensions are dropped, so a body that consists of
    /// them would cost work without content. Beyond: 400.
    public var chunkExtensionBytesMax = 4 * 1024
    /// Maximum length of a trailer section, with line ends. Beyond: 431.
    public var trailerBytesMax = 4 * 1024
    /// Maximum number of field lines in a trailer section. Beyond: 431.
    public var trailerCountMax = 32

    public init() {}

    func checkRelations() {
        precondition(headBytesMax <= Int(UInt16.max), "a head is addressed with 16 bits")
        precondition(startLineBytesMax < headBytesMax, "the start line is part of the head")
        precondition(chunkLineBytesMax >= 16, "the size of a chunk takes up to 16 digits")
        precondition(fieldCountMax > 0 && trailerCountMax >= 0 && trailerBytesMax >= 2)
    }
}

/// Limits on the memory and time that a server spends on its clients.
public struct ServerLimits: Sendable, Equatable {
    public var message = MessageLimits()

    /// Maximum body length of a route without a limit of its own: a payload of 1 MiB and the JSON around it.
    public var bodyBytesMax = 1024 * 1024 + 64 * 1024
    /// Maximum length of a body that is read and dropped after its request was rejected, so that the connection stays
    /// usable. A longer body closes the connection.
    public var discardedBodyBytesMax = 64 * 1024
    /// Bytes of each body that do not count against `bodyBytesInFlightMax`, so that small requests do not contend for
    /// a shared counter.
    public var bodyBytesUncounted = 16 * 1024
    /// Maximum number of body bytes held for all requests together, without the uncounted part of each; one more body
    /// may exceed it. Beyond, a body is read later; after `bodyTimeout`: 503 with `Retry-After`.
    ///
    /// A request needs up to six times its body: the body and its parts, the message to PostgreSQL, the response, and
    /// what a growing array leaves behind.
    public var bodyBytesInFlightMax = 24 * 1024 * 1024
    /// Maximum number of bytes per read from a socket, except within large bodies.
    public var readBytes = 4 * 1024

    /// Maximum number of open connections. Beyond: 503 and close.
    public var connectionsMax = 10_000
    /// Maximum number of connections beyond `connectionsMax` that are answered with 503 at one time. Further ones are
    /// closed without a response.
    public var refusalsMax = 64

    /// Time from the first byte of a head (on a new connection: from its acceptance) to the last. Beyond: 408.
    public var headTimeout = Duration.seconds(10)
    /// Time to receive a body, in addition to the time that its bytes take at `bodyBytesPerSecondMin`. Beyond: 408.
    public var bodyTimeout = Duration.seconds(10)
    /// Minimum average rate at which a body arrives, in bytes per second.
    public var bodyBytesPerSecondMin = 16 * 1024
    /// Time that a connection may stay idle between two requests.
    public var idleTimeout = Duration.seconds(75)
    /// Time to send a response, in addition to the time that its bytes take at `bodyBytesPerSecondMin`.
    public var writeTimeout = Duration.seconds(30)
    /// Time for a TLS handshake.
    public var handshakeTimeout = Duration.seconds(10)

    /// Time for which input is read and dropped after the last response on a connection. Closing a socket with unread
    /// input makes the kernel reset the connection, and the response can be lost (RFC 9112 section 9.6).
    public var lingerTimeout = Duration.seconds(2)
    /// Maximum number of bytes read and dropped after the last response.
    public var lingerBytesMax = 1024 * 1024
    /// Time during a drain in which an idle connection may still send a request, which is answered with
    /// `Connection: close`.
    public var drainIdleTimeout = Duration.seconds(1)
    /// Delay after `accept` failed for lack of file descriptors or memory.
    public var acceptRetryDelay = Duration.milliseconds(100)

    public init() {}

    func checkRelations() {
        message.checkRelations()
        precondition(readBytes > 0 && connectionsMax > 0 && bodyBytesPerSecondMin > 0)
        precondition(bodyBytesUncounted >= readBytes, "the bytes of one read must fit the uncounted part")
        precondition(bodyBytesInFlightMax >= bodyBytesMax, "one body of the default maximum must fit the budget")
    }
}

/// Limits on the responses that a client accepts and the connections that it keeps.
public struct ClientLimits: Sendable, Equatable {
    public var message = MessageLimits()

    /// Maximum length of a response body. Beyond: `ClientError.bodyTooLarge`.
    public var bodyBytesMax = 1024 * 1024
    /// Maximum number of interim (1xx) responses before the final one.
    public var interimResponsesMax = 8
    /// Maximum number of bytes per read from a socket.
    public var readBytes = 16 * 1024
    /// Maximum number of idle connections to one origin.
    public var idlePerEndpointMax = 16
    /// Maximum number of idle connections to all origins together.
    public var idleMax = 256
    /// Maximum idle time of a connection. Shorter than the idle timeout of most servers (60 s and more).
    public var idleTimeout = Duration.seconds(30)
    /// Idle time after which a connection is checked for a close by the server before it is used again.
    public var probeAfter = Duration.seconds(1)

    public init() {}

    func checkRelations() {
        message.checkRelations()
        precondition(readBytes > 0 && idlePerEndpointMax >= 0 && idleMax >= idlePerEndpointMax)
    }
}
