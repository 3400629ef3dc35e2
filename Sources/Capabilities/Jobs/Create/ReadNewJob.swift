public import JSON
internal import Telemetry
public import Values

extension NewJob {
    /// What a description of a job is for.
    public enum Purpose: Sendable {
        case job
        /// A job that is to clean up after another: at once, once, and without a teardown of its own.
        case teardown
    }

    /// What a teardown may not say.
    private static let foreignToTeardowns: Set = ["run_at", "teardown", "unique_key", "unique_for"]

    /// Reads one job from the body of a request. nil after noting in `errors` what is wrong; throws on a syntax
    /// error only. `payloadBytesMax` is the configured bound.
    public static func read(
        _ reader: inout JSONReader, at pointer: JSONPointer, payloadBytesMax: Int, as purpose: Purpose = .job,
        into errors: inout InputErrors
    ) throws(JSONError) -> NewJob? {
        let before = errors.count
        var job = NewJob(type: "")
        var hasType = false
        var hasUniqueKey = false
        var hasUniqueFor = false
        let isObject = try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            if purpose == .teardown, foreignToTeardowns.contains(key.text) {
                errors.add(pointer.appending(key.text), "is not accepted in a teardown")
                return true
            }
            switch key {
            case "teardown":
                let place = pointer.appending("teardown")
                job.teardown = try errors.teardown(&reader, at: place, payloadBytesMax: payloadBytesMax)
            case "type":
                hasType = true
                let name = try errors.name(&reader, at: pointer.appending("type"))
                job.type = name ?? ""
            case "payload":
                let payload = try errors.payload(&reader, at: pointer.appending("payload"), bytesMax: payloadBytesMax)
                job.payload = payload ?? []
            case "unique_key":
                hasUniqueKey = true
                job.uniqueKey = try errors.key(&reader, at: pointer.appending("unique_key"))
            case "unique_for":
                hasUniqueFor = true
                job.uniqueSeconds = try errors.uniqueSeconds(&reader, at: pointer.appending("unique_for"))
            default:
                return try job.readOption(&reader, key, at: pointer, into: &errors)
            }
            return true
        }
        if isObject, !hasType { errors.add(pointer.appending("type"), "is required") }
        if hasUniqueFor, !hasUniqueKey { errors.add(pointer.appending("unique_for"), "goes with unique_key only") }
        return errors.count == before ? job : nil
    }

    /// Reads a member that has a default. False for an unknown name.
    private mutating func readOption(
        _ reader: inout JSONReader, _ key: JSONKey, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Bool {
        switch key {
        case "queue":
            queue = try errors.name(&reader, at: pointer.appending("queue")) ?? queue
        case "priority":
            let every = Int16.min...Int16.max
            priority = try errors.integer(&reader, at: pointer.appending("priority"), in: every) ?? priority
        case "run_at":
            runAt = try errors.instant(&reader, at: pointer.appending("run_at"))
        case "max_attempts":
            let range = JobLimits.maxAttempts
            maxAttempts = try errors.integer(&reader, at: pointer.appending("max_attempts"), in: range) ?? maxAttempts
        case "timeout_seconds":
            let place = pointer.appending("timeout_seconds")
            timeoutSeconds = try errors.integer(&reader, at: place, in: JobLimits.timeoutSeconds) ?? timeoutSeconds
        case "cancel_grace_seconds":
            let place = pointer.appending("cancel_grace_seconds")
            let range = JobLimits.cancelGraceSeconds
            cancelGraceSeconds = try errors.integer(&reader, at: place, in: range) ?? cancelGraceSeconds
        case "backoff":
            backoff = try Backoff.read(&reader, at: pointer.appending("backoff"), into: &errors) ?? backoff
        case "concurrency_key":
            concurrencyKey = try errors.key(&reader, at: pointer.appending("concurrency_key"))
        case "tags":
            tags = try errors.tags(&reader, at: pointer.appending("tags")) ?? tags
        case "trace_parent":
            traceParent = try errors.traceParent(&reader, at: pointer.appending("trace_parent"))
        default:
            return false
        }
        return true
    }
}

extension InputErrors {
    /// A type's or a queue's name.
    mutating func name(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer
    ) throws(JSONError) -> String? {
        guard let text = try string(&reader, at: pointer()) else { return nil }
        if JobLimits.isName(text) { return text }
        add(pointer(), "must be 1 to \(JobLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -")
        return nil
    }

    /// A key that a client makes up.
    mutating func key(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer
    ) throws(JSONError) -> String? {
        guard let text = try string(&reader, at: pointer()) else { return nil }
        if JobLimits.isKey(text) { return text }
        add(pointer(), "must be 1 to \(JobLimits.keyBytesMax) bytes without control characters")
        return nil
    }

    /// For how long a unique key is kept; nil also for `"active"`.
    mutating func uniqueSeconds(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer
    ) throws(JSONError) -> Int32? {
        let range = JobLimits.uniqueSeconds
        do throws(JSONError) {
            if try reader.peekKind() == .string {
                if try reader.readString() == "active" { return nil }
            } else {
                let seconds: Int32 = try reader.readInteger()
                if range.contains(seconds) { return seconds }
            }
        } catch .syntax(let error) {
            throw .syntax(error)
        } catch {}
        add(pointer(), "must be \"active\" or an integer of seconds from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// A payload, kept as it is written.
    mutating func payload(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer, bytesMax: Int
    ) throws(JSONError) -> [UInt8]? {
        let range = try reader.skipValue()
        if range.count <= bytesMax { return Array(reader.bytes[range]) }
        add(pointer(), "is \(range.count) bytes long; at most \(bytesMax) are accepted")
        hasOversizedPayload = true
        return nil
    }

    /// The description of a job, checked and kept as it is written.
    mutating func teardown(
        _ reader: inout JSONReader, at pointer: JSONPointer, payloadBytesMax: Int
    ) throws(JSONError) -> [UInt8]? {
        var ahead = reader
        let range = try ahead.skipValue()
        let job = try NewJob.read(
            &reader, at: pointer, payloadBytesMax: payloadBytesMax, as: .teardown, into: &self)
        return job == nil ? nil : Array(reader.bytes[range])
    }

    public mutating func instant(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer
    ) throws(JSONError) -> WallInstant? {
        guard let text = try string(&reader, at: pointer()) else { return nil }
        do throws(WallInstantError) {
            return try WallInstant(parsing: text)
        } catch {
            add(pointer(), error.description)
            return nil
        }
    }

    /// Distinct texts, none empty, without control characters.
    mutating func tags(_ reader: inout JSONReader, at pointer: JSONPointer) throws(JSONError) -> [String]? {
        guard try note(pointer, { () throws(JSONError) in try reader.beginArray() }) != nil else { return nil }
        var tags: [String] = []
        var index = 0
        while try reader.nextElement() {
            defer { index += 1 }
            if index == JobLimits.tagsMax { add(pointer, "has more than \(JobLimits.tagsMax) tags") }
            guard index < JobLimits.tagsMax, let tag = try string(&reader, at: pointer.appending(index)) else {
                continue
            }
            if tag.utf8.isEmpty || tag.utf8.count > JobLimits.tagBytesMax
                || tag.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
            {
                add(pointer.appending(index), "must be 1 to \(JobLimits.tagBytesMax) bytes without control characters")
            } else if !tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) {
                tags.append(tag)
            }
        }
        return tags
    }

    mutating func traceParent(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer
    ) throws(JSONError) -> String? {
        guard let text = try string(&reader, at: pointer()) else { return nil }
        if TraceParent(parsing: text) != nil { return text }
        add(pointer(), "must be a traceparent of W3C Trace Context, version 00")
        return nil
    }
}
