internal import Glibc

/// A failed system call.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name of the call, or a phrase for the operation: `epoll_ctl`, `connect to`.
    public let call: String
    /// The object of the call, such as an address or a path; may be empty.
    public let subject: String
    /// The value of `errno`.
    public let number: Int32

    /// The failure in `errno`. Must be created before another call can overwrite `errno`.
    public init(_ call: String, on subject: String = "") {
        self.init(call, on: subject, number: errno)
    }

    public init(_ call: String, on subject: String = "", number: Int32) {
        self.call = call
        self.subject = subject
        self.number = number
    }

    public var description: String {
        let target = subject.isEmpty ? call : "\(call) \(subject)"
        return "\(target): \(String(cString: strerror(number)))"
    }
}

/// Why a stream could not be read or written.
public enum StreamError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The deadline passed.
    case timedOut
    /// This side closed the stream, possibly in another task.
    case closed
    /// The peer closed the connection: a reset, or a write after the peer closed its end.
    case disconnected
    /// A system call failed.
    case system(SystemError)
    /// A layer above the socket failed, such as TLS. The text is the reason.
    case failed(String)

    public var description: String {
        switch self {
        case .timedOut: "timed out"
        case .closed: "closed"
        case .disconnected: "the peer closed the connection"
        case .system(let error): error.description
        case .failed(let reason): reason
        }
    }
}
