public import JSON
public import Values

/// A request to pause or to resume a scope, whose values satisfy the rules below. HTTP reads it from the body of a
/// request, the command `jobqueue-api control` from its options; both use `init(_:from:)`.
public struct PauseChange: Sendable {
    public enum Action: String, Sendable {
        case pause
        case resume
    }

    public let action: Action
    public private(set) var scope = PauseScope.all
    public private(set) var reason = ""
    public private(set) var updatedBy = ""
    /// The change is made only if the scope still has this version; nil: in any case.
    public var expectedVersion: Int64?
    /// When the pause ends by itself; nil: never.
    public var resumeAt: WallInstant?
    /// Whether running jobs of the scope are cancelled.
    public var cancelsRunning = false
    /// How long to wait for the acknowledgements of the workers, 0 to 60 s.
    public private(set) var waitSeconds = 0
    /// For the history.
    public var clientAddress: String?
    public var requestID: String?

    public static let waitSecondsRange = 0...60
    public static let expectedVersionRange: ClosedRange<Int64> = 0...Int64.max

    /// A change that the program makes itself. The texts must satisfy `TextRule.reason` and `TextRule.actor`.
    public init(_ action: Action, _ scope: PauseScope, reason: String, updatedBy: String) {
        precondition(TextRule.reason.accepts(reason) && TextRule.actor.accepts(updatedBy), "not an accepted text")
        self.action = action
        self.scope = scope
        self.reason = reason
        self.updatedBy = updatedBy
    }

    /// A change whose fields are about to be read.
    ///
    /// - Parameter scope: nil: a field, which is `all` by default.
    public init(reading action: Action, scope: PauseScope? = nil) {
        self.action = action
        self.scope = scope ?? .all
    }

    // MARK: Fields

    public enum Field: String, CaseIterable, Sendable {
        case scope, reason
        case updatedBy = "updated_by"
        case expectedVersion = "expected_version"
        case waitSeconds = "wait_seconds"
        case resumeAt = "resume_at"
        case cancelRunning = "cancel_running"
    }

    /// The error for a field that a resume does not have.
    public static let pauseOnly = "is accepted for a pause only"

    private static let ofPause = ObjectMembers<Field>(required: [.reason, .updatedBy])
    private static let ofResume = ObjectMembers<Field>(
        required: [.reason, .updatedBy], excluding: [.resumeAt: pauseOnly, .cancelRunning: pauseOnly])
    private static let ofQueuePause = ObjectMembers<Field>(
        required: [.reason, .updatedBy], excluding: [.scope: "is given by the path"])
    private static let ofQueueResume = ObjectMembers<Field>(
        required: [.reason, .updatedBy],
        excluding: [.scope: "is given by the path", .resumeAt: pauseOnly, .cancelRunning: pauseOnly])

    /// The fields of the action. With `hasScope` false, the scope is no field.
    public static func fields(of action: Action, hasScope: Bool = true) -> ObjectMembers<Field> {
        switch action {
        case .pause: hasScope ? ofPause : ofQueuePause
        case .resume: hasScope ? ofResume : ofQueueResume
        }
    }

    /// Reads one field.
    public mutating func read<Source: InputSource>(
        _ field: Field, from source: inout Source
    ) throws(Source.Failure) {
        switch field {
        case .scope: scope = try source.value(PauseScope.requirement, PauseScope.init(input:)) ?? .all
        case .reason: reason = try source.text(.reason) ?? ""
        case .updatedBy: updatedBy = try source.text(.actor) ?? ""
        case .expectedVersion: expectedVersion = try source.integer(in: Self.expectedVersionRange)
        case .waitSeconds: waitSeconds = try source.integer(in: Self.waitSecondsRange) ?? 0
        case .resumeAt: resumeAt = try source.instant()
        case .cancelRunning: cancelsRunning = try source.bool() ?? false
        }
    }
}
