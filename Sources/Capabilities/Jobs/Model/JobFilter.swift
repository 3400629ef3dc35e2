public import Values

/// Which jobs a list holds. nil: any.
public struct JobFilter: Hashable, Sendable {
    public var status: JobStatus?
    public var queue: String?
    public var type: String?
    public var tag: String?
    /// Jobs with one of these ids. Excludes a tag and a worker.
    public var ids: [UUID]?
    /// The name or incarnation of the worker that has leased the job. Requires the status `running` or `ending`, or
    /// none; excludes a tag.
    public var worker: String?
    /// Created at this instant or later, by the time in the job's id: that is made when the job arrives, a little
    /// before the `created_at` that PostgreSQL gives it. Whole milliseconds.
    public var since: WallInstant?
    /// Created before this instant, by the time in the job's id.
    public var until: WallInstant?

    public init() {}
}
