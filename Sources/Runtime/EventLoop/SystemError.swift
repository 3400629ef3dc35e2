internal import Glibc

/// A system call that failed: which one, on what, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call, or a phrase in its place: `connect`, `bind`.
    public let call: String
    /// What it was applied to: an address, a path. May be empty.
    public let subject: String
    /// The value of `errno`.
    public let number: Int32

    /// The failure that `errno` tells of; call it before anything else that may set it.
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
    /// This side closed the stream, perhaps from another task.
    case closed
    /// The peer went away: a reset, or a write after its end was closed.
    case disconnected
    /// The kernel refused.
    case system(SystemError)
    /// A layer above the socket failed, such as TLS; the text says why.
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
