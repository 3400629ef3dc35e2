internal import HTTP
internal import Jobs
internal import Telemetry
internal import Values

/// What `GET /api/jobs` is asked for.
struct ListQuery {
    /// Jobs of a page.
    static let limitRange = 1...500
    static let limitStandard = 50
    static let names = ["status", "queue", "type", "tag", "worker", "since", "until", "limit", "cursor"]

    var filter = JobFilter()
    var cursor: JobCursor?
    var limit = Self.limitStandard

    /// Throws 400 with everything that is wrong.
    init(_ query: Query) throws(Problem) {
        var errors: [Problem.InvalidInput] = []
        var seen: [String] = []
        for item in query.items {
            guard let name = Self.names.first(where: { $0.utf8.elementsEqual(item.name.utf8) }) else {
                let known = Self.names.joined(separator: ", ")
                errors.append(.init(.parameter(item.name), "is unknown; known are \(known)"))
                continue
            }
            guard !seen.contains(name) else {
                errors.append(.init(.parameter(name), "is given more than once"))
                continue
            }
            seen.append(name)
            if let mistake = read(name, item.value) { errors.append(.init(.parameter(name), mistake)) }
        }
        errors += combinationMistakes()
        guard errors.isEmpty else {
            throw Problem(.badRequest, "the query has \(errors.count == 1 ? "an error" : "errors")", errors: errors)
        }
    }

    /// What is wrong with the value; nil if nothing is.
    private mutating func read(_ name: String, _ value: String) -> String? {
        switch name {
        case "status":
            filter.status = JobStatus.allCases.first { $0.rawValue.utf8.elementsEqual(value.utf8) }
            let all = JobStatus.allCases.map(\.rawValue).joined(separator: ", ")
            return filter.status == nil ? "must be one of \(all)" : nil
        case "queue":
            filter.queue = value
            return Self.nameMistake(value)
        case "type":
            filter.type = value
            return Self.nameMistake(value)
        case "tag":
            filter.tag = value
            return Self.textMistake(value)
        case "worker":
            filter.worker = value
            return Self.textMistake(value)
        case "since": return Self.readInstant(value, into: &filter.since)
        case "until": return Self.readInstant(value, into: &filter.until)
        case "limit":
            limit = Self.number(value.utf8, digitsMax: 4) ?? 0
            let range = Self.limitRange
            return range.contains(limit)
                ? nil : "must be an integer from \(range.lowerBound) to \(range.upperBound)"
        default:
            cursor = JobCursor(value)
            return cursor == nil ? "is not the next_cursor of an earlier answer" : nil
        }
    }

    /// The number that these digits are, if they are nothing else.
    static func number(_ digits: some Collection<UInt8>, digitsMax: Int) -> Int? {
        guard (1...digitsMax).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func nameMistake(_ text: String) -> String? {
        JobLimits.isName(text)
            ? nil : "must be 1 to \(JobLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -"
    }

    private static func textMistake(_ text: String) -> String? {
        let isText = !text.utf8.isEmpty && text.utf8.count <= 256 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        return isText ? nil : "must be 1 to 256 bytes without control characters"
    }

    private static func readInstant(_ text: String, into instant: inout WallInstant?) -> String? {
        do throws(WallInstantError) {
            instant = try WallInstant(parsing: text)
            return nil
        } catch {
            return error.description
        }
    }

    /// A worker is known of jobs that run, and of no others in a way that an index finds.
    private func combinationMistakes() -> [Problem.InvalidInput] {
        guard filter.worker != nil else { return [] }
        var mistakes: [Problem.InvalidInput] = []
        if let status = filter.status, status != .running, status != .ending {
            mistakes.append(.init(.parameter("worker"), "goes with no status, running or ending only"))
        }
        if filter.tag != nil { mistakes.append(.init(.parameter("worker"), "does not go with tag")) }
        return mistakes
    }
}
