internal import Values

/// The times of `ServerLimits` in nanoseconds, so that a deadline on the hot path costs one addition.
struct Deadlines: Sendable {
    let head: Int64
    let idle: Int64
    let linger: Int64
    let handshake: Int64
    let drainIdle: Int64
    private let body: Int64
    private let write: Int64
    private let nanosecondsPerByte: Int64

    init(_ limits: ServerLimits) {
        head = limits.headTimeout.clampedNanoseconds
        idle = limits.idleTimeout.clampedNanoseconds
        linger = limits.lingerTimeout.clampedNanoseconds
        handshake = limits.handshakeTimeout.clampedNanoseconds
        drainIdle = limits.drainIdleTimeout.clampedNanoseconds
        body = limits.bodyTimeout.clampedNanoseconds
        write = limits.writeTimeout.clampedNanoseconds
        nanosecondsPerByte = 1_000_000_000 / Int64(limits.bodyBytesPerSecondMin)
    }

    /// Nanoseconds from the start of a body to the next read's deadline, after `bytes` of it have arrived. A client
    /// below the minimum rate consumes the base timeout.
    func body(received bytes: Int) -> Int64 { saturating(body, bytes) }

    /// Nanoseconds for sending `bytes`.
    func write(_ bytes: Int) -> Int64 { saturating(write, bytes) }

    private func saturating(_ base: Int64, _ bytes: Int) -> Int64 {
        let (earned, overflow) = Int64(bytes).multipliedReportingOverflow(by: nanosecondsPerByte)
        let (sum, carry) = base.addingReportingOverflow(earned)
        return overflow || carry ? .max : sum
    }
}

extension MonotonicInstant {
    func after(nanoseconds interval: Int64) -> MonotonicInstant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(interval)
        return overflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
    }
}
