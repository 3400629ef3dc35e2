public import Postgres

/// How long ended jobs are kept, in hours from their end, unless their queue has settings of its own.
public struct RetentionPolicy: Hashable, Sendable {
    public var succeededHours: Int32
    public var failedHours: Int32
    public var cancelledHours: Int32

    public init(succeededHours: Int32, failedHours: Int32, cancelledHours: Int32) {
        self.succeededHours = succeededHours
        self.failedHours = failedHours
        self.cancelledHours = cancelledHours
    }

    public var longestHours: Int32 { max(succeededHours, failedHours, cancelledHours) }

    /// Number of days that share a partition. Each partition costs a lease about 1 %, so long retentions have long
    /// partitions.
    public var partitionDays: Int32 { min(366, max(1, longestHours / 24 / 4)) }

    /// How much longer than `longestHours` a job may stay that is removed with its partition, in hours.
    public var lateHours: Int32 { (partitionDays + 1) * 24 }
}

extension RetentionPolicy: StatementInputGroup {
    public var statementInputs: StatementInputs<Int32, Int32, Int32> {
        StatementInputs(succeededHours, failedHours, cancelledHours)
    }
}
