public import JSON

/// The limits of jobs. The OpenAPI document has them too.
public enum JobLimits {
    /// Of the payload's JSON text, unless `JOB_PAYLOAD_MAX_BYTES` says otherwise.
    public static let payloadBytesMax = 1_048_576
    /// Of the result of a success.
    public static let resultBytesMax = 1_048_576
    /// Of a type's or a queue's name: `[A-Za-z0-9._:/-]{1,128}`.
    public static let nameBytesMax = TextRule.name.bytesMax
    /// Of a unique key, a concurrency key, and an idempotency key.
    public static let keyBytesMax = 255
    /// Of the name of a person or program that changes a job.
    public static let actorBytesMax = TextRule.actor.bytesMax
    /// Of the reason for changing a job.
    public static let reasonBytesMax = TextRule.reason.bytesMax
    public static let tagsMax = 32
    public static let tagBytesMax = 128
    /// Jobs of one bulk POST.
    public static let bulkJobsMax = 1_000
    /// Bytes of one bulk POST.
    public static let bulkBytesMax = 8 * 1_048_576

    public static let maxAttempts: ClosedRange<Int16> = 1...10_000
    public static let maxAttemptsStandard: Int16 = 25
    /// 0: no deadline.
    public static let timeoutSeconds: ClosedRange<Int32> = 0...2_592_000
    public static let timeoutSecondsStandard: Int32 = 300
    /// From the creation to the earliest start.
    public static let delaySeconds: ClosedRange<Int32> = 0...31_536_000
    /// From the request to stop to the use of force.
    public static let cancelGraceSeconds: ClosedRange<Int32> = 0...3_600
    public static let cancelGraceSecondsStandard: Int32 = 10
    /// How long a job may hold its unique key.
    public static let uniqueSeconds: ClosedRange<Int32> = 1...31_536_000
    /// The longest backoff of a job.
    public static let backoffSecondsMax: Int32 = 604_800

    /// Of a queue's limits, its rate and its burst.
    public static let queueLimit: ClosedRange<Int32> = 1...1_000_000
    /// The period of a rate.
    public static let rateSeconds = 0.001...86_400
    /// How long a queue may keep ended jobs: up to ten years; 0: until the next sweep.
    public static let retentionHours: ClosedRange<Int32> = 0...87_840

    /// A unique key or a concurrency key.
    public static let key = TextRule.line(bytesMax: keyBytesMax)
    public static let tag = TextRule.line(bytesMax: tagBytesMax)
}
