// Every limit of the module, in one place. Sizes are bytes, times are `Duration`.

/// Bounds on the syntax of one message, request or response (RFC 9112; RFC 9110 section 2.3 asks a
/// recipient to set such bounds). What lies beyond them is refused before it is stored.
public struct MessageLimits: Sendable, Equatable {
    /// Longest request or status line without its CRLF. Beyond: 414.
    public var startLineBytesMax = 8 * 1024
    /// Longest head, start line and field lines with their line ends. Beyond: 431. At most 65,535,
    /// because a parsed head addresses its fields with 16 bits.
    public var headBytesMax = 32 * 1024
    /// Most field lines in a head. Beyond: 431.
    public var fieldCountMax = 100
    /// Longest line that opens a chunk: size and extensions, without CRLF. Beyond: 400.
    public var chunkLineBytesMax = 256
    /// Most bytes of chunk extensions in a whole body. They carry nothing that we use, so that a
    /// body made of them would be work for no content. Beyond: 400.
    public var chunkExtensionBytesMax = 4 * 1024
    /// Longest trailer section, with line ends. Beyond: 431.
    public var trailerBytesMax = 4 * 1024
    /// Most field lines in a trailer section. Beyond: 431.
    public var trailerCountMax = 32

    public init() {}

    func checkRelations() {
        precondition(headBytesMax <= Int(UInt16.max), "a head is addressed with 16 bits")
        precondition(startLineBytesMax < headBytesMax, "the start line is part of the head")
        precondition(chunkLineBytesMax >= 16, "the size of a chunk takes up to 16 digits")
        precondition(fieldCountMax > 0 && trailerCountMax >= 0 && trailerBytesMax >= 2)
    }
}

/// Bounds on what a server spends on its clients.
public struct ServerLimits: Sendable, Equatable {
    public var message = MessageLimits()

    /// Longest body of a route that does not say otherwise: a payload of 1 MiB and what is around it.
    public var bodyBytesMax = 1024 * 1024 + 64 * 1024
    /// Largest body that is read and dropped to keep a connection whose request was refused early.
    /// A larger one costs the client its connection.
    public var discardedBodyBytesMax = 64 * 1024
    /// The part of each body that is not counted against `bodyBytesInFlightMax`: small requests
    /// then share no counter.
    public var bodyBytesUncounted = 16 * 1024
    /// Most body bytes held for all requests together, beyond the uncounted part of each.
    /// Beyond: 503 with `Retry-After`.
    public var bodyBytesInFlightMax = 128 * 1024 * 1024
    /// Most bytes asked of a socket at once, outside large bodies.
    public var readBytes = 4 * 1024

    /// Most open connections. Beyond: 503 and close.
    public var connectionsMax = 10_000
    /// Most refused connections that are told so at one time; more of them are closed without a word.
    public var refusalsMax = 64

    /// From the first byte of a head (of a new connection: from its acceptance) to the last. Then: 408.
    public var headTimeout = Duration.seconds(10)
    /// What a body may take, besides the time that its bytes earn at `bodyBytesPerSecondMin`. Then: 408.
    public var bodyTimeout = Duration.seconds(10)
    /// The slowest rate at which a body may come in the long run.
    public var bodyBytesPerSecondMin = 16 * 1024
    /// How long a connection may wait between two requests.
    public var idleTimeout = Duration.seconds(75)
    /// What sending an answer may take, besides the time that its bytes earn at `bodyBytesPerSecondMin`.
    public var writeTimeout = Duration.seconds(30)
    /// How long a TLS handshake may take.
    public var handshakeTimeout = Duration.seconds(10)

    /// After the last answer on a connection: how long, and how many bytes, are still read and
    /// dropped, so that the kernel does not reset the connection under the answer (RFC 9112 section 9.6).
    public var lingerTimeout = Duration.seconds(2)
    public var lingerBytesMax = 1024 * 1024
    /// While draining: how long an idle connection may still bring a request (answered with
    /// `Connection: close`) before it is closed.
    public var drainIdleTimeout = Duration.seconds(1)
    /// Wait after `accept` failed for want of file descriptors or memory.
    public var acceptRetryDelay = Duration.milliseconds(100)

    public init() {}

    func checkRelations() {
        message.checkRelations()
        precondition(readBytes > 0 && connectionsMax > 0 && bodyBytesPerSecondMin > 0)
        precondition(bodyBytesUncounted >= readBytes, "what one read brings is never counted")
        precondition(bodyBytesInFlightMax >= bodyBytesMax, "one body of the usual size must fit")
    }
}

/// Bounds on what a client accepts and keeps.
public struct ClientLimits: Sendable, Equatable {
    public var message = MessageLimits()

    /// Longest body of a response. Beyond: `ClientError.bodyTooLarge`.
    public var bodyBytesMax = 1024 * 1024
    /// Most interim (1xx) responses before the final one.
    public var interimResponsesMax = 8
    /// Most bytes asked of a socket at once.
    public var readBytes = 16 * 1024
    /// Idle connections kept to one endpoint, and to all of them.
    public var idlePerEndpointMax = 16
    public var idleMax = 256
    /// How long an idle connection is kept: less than servers usually wait (60 s and more).
    public var idleTimeout = Duration.seconds(30)
    /// A connection that was idle for longer is asked whether the server has closed it before it is used again.
    public var probeAfter = Duration.seconds(1)

    public init() {}

    func checkRelations() {
        message.checkRelations()
        precondition(readBytes > 0 && idlePerEndpointMax >= 0 && idleMax >= idlePerEndpointMax)
    }
}
