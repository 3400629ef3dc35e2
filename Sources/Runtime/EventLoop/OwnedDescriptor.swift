/// A descriptor with one owner, closed when it is dropped.
struct OwnedDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    /// Hands the descriptor to a new owner.
    consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    deinit {
        Syscall.close(number)
    }
}
