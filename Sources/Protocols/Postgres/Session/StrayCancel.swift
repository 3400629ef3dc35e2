/// The groups that a cancel request may hit although it was meant for an earlier one. Pure.
///
/// The server cancels the statement that it executes when the request arrives. libpq returns from a request after the
/// server has signalled the session (PostgreSQL documentation, "Canceling Queries in Progress"; source of `PQcancel`).
/// So what is written after that is safe.
struct StrayCancel {
    /// Number of requests on their way to the server.
    private var pendingCount = 0
    /// The last group that was written before the server had signalled the session.
    private var lastExposed = 0

    var isPending: Bool { pendingCount > 0 }

    mutating func requested() {
        pendingCount += 1
    }

    /// - Parameter lastWritten: number of groups written so far.
    mutating func ended(lastWritten: Int) {
        pendingCount -= 1
        lastExposed = lastWritten
    }

    /// - Parameter number: position of the group among all that were written, from 1.
    func mayHit(_ number: Int) -> Bool {
        isPending || number <= lastExposed
    }
}
