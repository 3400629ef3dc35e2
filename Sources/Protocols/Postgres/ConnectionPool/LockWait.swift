internal import Values

/// How a statement of a pool waits for the locks of other transactions.
///
/// A session executes the statements of many callers one after the other. A statement that waits for a lock delays
/// those behind it, although they need no lock. So no statement waits for longer than `lock_timeout` of its session
/// (`ConnectionPool.Options.lockTimeout`): then PostgreSQL ends it with 55P03 (lock_not_available), and nothing is
/// done. Between two tries it occupies no session.
///
/// Further tries wait for an even shorter time (`briefTimeout`). Each pool has one try of a waiting statement under way
/// at a time, with a pause after a failure that is as long as the try. So the statements that wait for locks take at
/// most half of one session, however many they are.
public enum LockWait: Sendable {
    /// In tries, for up to `ConnectionPool.Options.lockWaitMax`; then 55P03 is thrown.
    case inTries
    /// One try; then 55P03 is thrown. For a caller that can do something better than wait, such as splitting a batch.
    case once
    /// One brief try; then 55P03 is thrown. For the parts of a batch that has met a lock: not one at a time, so the
    /// caller must bound their number.
    case briefly
    /// One brief try of a statement that waits, one at a time; then 55P03 is thrown.
    case again

    /// The longest wait for a lock in a further try.
    static let briefTimeout = Duration.milliseconds(10)

    /// The value of `briefTimeout` is local to the transaction, so nothing of it remains in the session.
    static let setBriefTimeout = Statement("set_brief_lock_timeout", "SELECT set_config('lock_timeout', '10ms', true)")

    /// The pauses between tries: from 50 ms up to 250 ms.
    public static let pauseMin = Duration.milliseconds(50)
    public static let pauseMax = Duration.milliseconds(250)
}

/// Admits one brief try after the other. Confined to the loop of its pool.
struct BriefTryGate {
    private var isBusy = false
    private var waiters = FIFO<UnsafeContinuation<Void, Never>>()

    /// Whether the caller may go on at once; otherwise it must call `wait`.
    mutating func enter() -> Bool {
        defer { isBusy = true }
        return !isBusy
    }

    mutating func wait(_ continuation: UnsafeContinuation<Void, Never>) {
        waiters.append(continuation)
    }

    /// The next task goes on.
    mutating func leave() {
        if let next = waiters.popFirst() { next.resume() } else { isBusy = false }
    }
}
