/// A file descriptor with one owner, closed when dropped.
struct OwnedDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    /// Gives up the ownership without closing the descriptor.
    consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    deinit {
        Syscall.close(number)
    }
}
