internal import JSON

/// All bounds on what a pool may be, and the times that it keeps. The API's document states them too.
public enum PoolLimits {
    /// Of a fixed size, and above every ordinal.
    public static let size: ClosedRange<Int32> = 1...1_000
    public static let ordinal: ClosedRange<Int32> = 0...(size.upperBound - 1)
    /// One statement reads them all.
    public static let workloadsMax = 1_000
    /// Of the name of a pool, a workload and a handler: `[A-Za-z0-9._:/-]{1,128}`.
    public static let nameBytesMax = TextRule.name.bytesMax
    /// What is kept of a process's standard error, from its end.
    public static let errorBytesMax = 4_096

    /// For how long the members of a pool of the size `auto` must have stayed as many as they are.
    public static let sizeStableTime = Duration.seconds(10)
    /// A pool that had lost all of its members waits so long without a change for those that are missing.
    public static let memberReturnTime = Duration.seconds(30)
    /// After the end of a membership: whoever waits for just this ordinal goes first, and nothing has to move.
    public static let successionTime = Duration.seconds(1)
}
