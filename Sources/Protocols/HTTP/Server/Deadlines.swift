internal import Values

/// The times of `ServerLimits` in nanoseconds: a deadline on the hot path then costs one addition.
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

    /// How long a body may take until `bytes` of it have come: whoever is slower than the lowest rate uses up the
    /// time that is granted besides.
    func body(received bytes: Int) -> Int64 { saturating(body, bytes) }

    /// How long sending `bytes` may take.
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
