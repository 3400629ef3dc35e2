internal import CLinux
internal import Glibc

/// One function for each system call. It throws a failure as a `SystemError`, and retries after EINTR.
enum Syscall {
    /// The result of a nonblocking read or write.
    enum Transfer {
        case bytes(Int)
        case wouldBlock
        case failed(Int32)
    }

    static func close(_ descriptor: Int32) {
        // Not retried: on Linux the descriptor is closed even if close reports EINTR.
        _ = Glibc.close(descriptor)
    }

    static func epollCreate() throws(SystemError) -> Int32 {
        try check(epoll_create1(Int32(EPOLL_CLOEXEC)), "epoll_create1")
    }

    static func epollAdd(
        _ epoll: Int32, _ descriptor: Int32, events: UInt32, token: UInt64
    ) throws(SystemError) {
        var event = epoll_event(events: events, data: epoll_data(u64: token))
        try check(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl")
    }

    static func epollModify(_ epoll: Int32, _ descriptor: Int32, events: UInt32, token: UInt64) {
        var event = epoll_event(events: events, data: epoll_data(u64: token))
        let status = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
        precondition(status == 0, "epoll_ctl: descriptor \(descriptor) was closed while it was watched")
    }

    static func epollRemove(_ epoll: Int32, _ descriptor: Int32) {
        var event = epoll_event()
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Waits for events. Returns the number written to `events`; 0 after a timeout or an interruption by a signal.
    static func epollWait(
        _ epoll: Int32, _ events: UnsafeMutableBufferPointer<epoll_event>, timeoutMilliseconds: Int32
    ) -> Int {
        let count = epoll_wait(epoll, events.baseAddress, Int32(events.count), timeoutMilliseconds)
        precondition(count >= 0 || errno == EINTR, "epoll_wait: \(String(cString: strerror(errno)))")
        return max(0, Int(count))
    }

    static func eventDescriptor() throws(SystemError) -> Int32 {
        try check(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), "eventfd")
    }

    static func signalEvent(_ descriptor: Int32) {
        eventfd_write(descriptor, 1)
    }

    static func drainEvent(_ descriptor: Int32) {
        var value: eventfd_t = 0
        eventfd_read(descriptor, &value)
    }

    static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        transfer { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        transfer { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
    }

    static func setNonblocking(_ descriptor: Int32) throws(SystemError) {
        let flags = try check(fcntl(descriptor, F_GETFL), "fcntl")
        try check(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK), "fcntl")
    }

    static func pipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let status = withUnsafeMutableBytes(of: &ends) {
            clinux_pipe($0.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        try check(status, "pipe2")
        return ends
    }

    @discardableResult
    static func check(_ result: Int32, _ call: String, on subject: String = "") throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(call, on: subject) }
        return result
    }

    private static func transfer(_ call: () -> Int) -> Transfer {
        while true {
            let count = call()
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }
}
