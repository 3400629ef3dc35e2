internal import JSON

/// All limits of pools, and the times of their membership. The OpenAPI document has them too.
public enum PoolLimits {
    /// Number of pools from which on none is created: all are listed at once, and each has series of metrics. Creations
    /// at the same instant may exceed it.
    public static let poolsMax = 200
    /// Number of members of a pool of a fixed size; above every ordinal.
    public static let size: ClosedRange<Int32> = 1...1_000
    public static let ordinal: ClosedRange<Int32> = 0...(size.upperBound - 1)
    /// Maximum number of workloads of a pool: one statement reads them all.
    public static let workloadsMax = 1_000
    /// Maximum length of the name of a pool, a workload and a handler: `[A-Za-z0-9._:/-]{1,128}`.
    public static let nameBytesMax = TextRule.name.bytesMax
    /// Maximum number of bytes kept of the standard error of a workload's process, from its end.
    public static let errorBytesMax = 4_096

    /// The number of members of a pool of size `auto` is accepted after this time without a change.
    public static let sizeStableTime = Duration.seconds(10)
    /// A pool that lost all members waits for the missing ones until its members have not changed for this time.
    public static let memberReturnTime = Duration.seconds(30)
    /// An expired member still counts as alive for this time, so that a successor that waits for its ordinal continues
    /// with its workloads, and nothing moves.
    public static let successionTime = Duration.seconds(1)
}
