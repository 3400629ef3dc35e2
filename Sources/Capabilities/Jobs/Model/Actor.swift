public import JSON
public import Postgres

/// Who changes a job, and why: stored with the job's events.
public struct Actor: Hashable, Sendable {
    /// At most `JobLimits.actorBytesMax` of UTF-8 without control characters; nil: not given.
    public var name: String?
    /// At most `JobLimits.reasonBytesMax` of UTF-8 without control characters; nil: not given.
    public var reason: String?

    public init(name: String? = nil, reason: String? = nil) {
        self.name = name
        self.reason = reason
    }

    /// Neither a name nor a reason.
    public static let unnamed = Actor()

    /// Reads `{"reason": "...", "updated_by": "..."}`, both optional, noting in `errors` what is wrong.
    public static func read(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Actor {
        var actor = Actor()
        try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            try actor.readMember(&reader, key, at: pointer, into: &errors)
        }
        return actor
    }

    /// Reads one of the members. False for an unknown name.
    mutating func readMember(
        _ reader: inout JSONReader, _ key: JSONKey, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Bool {
        switch key {
        case "reason":
            let place = pointer.appending("reason")
            reason = try errors.line(&reader, at: place, bytesMax: JobLimits.reasonBytesMax)
        case "updated_by":
            let place = pointer.appending("updated_by")
            name = try errors.line(&reader, at: place, bytesMax: JobLimits.actorBytesMax)
        default:
            return false
        }
        return true
    }
}

extension Actor: StatementInputGroup {
    /// The actor and the reason of an event. Requests without a name come through the api.
    public var statementInputs: StatementInputs<String, String?> { StatementInputs(name ?? "api", reason) }
}

extension InputErrors {
    /// A text of one line.
    public mutating func line(
        _ reader: inout JSONReader, at pointer: JSONPointer, bytesMax: Int
    ) throws(JSONError) -> String? {
        guard let text = try string(&reader, at: pointer) else { return nil }
        let bytes = text.utf8
        if !bytes.isEmpty, bytes.count <= bytesMax, !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return text }
        add(pointer, "must be 1 to \(bytesMax) bytes without control characters")
        return nil
    }
}
