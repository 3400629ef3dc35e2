internal import HTTP
internal import JSON
internal import Jobs
internal import Pools

/// What `PUT /api/pools/{name}` is told.
struct PoolInput: Sendable {
    /// nil: `auto`.
    var size: Int32?
    var workloads: [String] = []
    var handler = ""
    var reason: String?
    var updatedBy: String?

    /// Notes in `errors` what is wrong.
    static func read(_ reader: inout JSONReader, into errors: inout InputErrors) throws(JSONError) -> PoolInput {
        var input = PoolInput()
        var names: Set<String> = []
        let isObject = try errors.readObject(&reader, at: .root) { reader, key, errors throws(JSONError) in
            names.insert(key.text)
            let place = JSONPointer.root.appending(key.text)
            switch key {
            case "size": input.size = try size(&reader, at: place, into: &errors)
            case "workloads": input.workloads = try workloads(&reader, at: place, into: &errors)
            case "handler": input.handler = try name(&reader, at: place, into: &errors) ?? ""
            case "reason": input.reason = try errors.line(&reader, at: place, bytesMax: JobLimits.reasonBytesMax)
            case "updated_by":
                input.updatedBy = try errors.line(&reader, at: place, bytesMax: JobLimits.actorBytesMax)
            default: return false
            }
            return true
        }
        for name in ["size", "workloads", "handler"] where isObject && !names.contains(name) {
            errors.add(.root.appending(name), "is required")
        }
        return input
    }

    private static func size(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Int32? {
        let range = PoolLimits.size
        let accepted = "must be \"auto\" or an integer from \(range.lowerBound) to \(range.upperBound)"
        switch try reader.peekKind() {
        case .string:
            if try reader.readString() != "auto" { errors.add(pointer, accepted) }
            return nil
        case .number:
            // Its own words for what is out of range would not tell of `auto`.
            var ignored = InputErrors()
            let size = try ignored.integer(&reader, at: pointer, in: range)
            if size == nil { errors.add(pointer, accepted) }
            return size
        case let kind:
            errors.add(pointer, "\(accepted), not \(kind.phrase)")
            try reader.skipValue()
            return nil
        }
    }

    private static func workloads(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> [String] {
        do throws(JSONError) {
            try reader.beginArray()
        } catch .type(let error) {
            errors.add(pointer, error.description)
            return []
        }
        var workloads: [String] = []
        var seen: Set<String> = []
        var count = 0
        while try reader.nextElement() {
            let place = pointer.appending(count)
            count += 1
            guard let name = try name(&reader, at: place, into: &errors) else { continue }
            if seen.insert(name).inserted { workloads.append(name) } else { errors.add(place, "is named twice") }
        }
        if count > PoolLimits.workloadsMax {
            errors.add(pointer, "has \(count) workloads; at most \(PoolLimits.workloadsMax) are accepted")
        }
        return workloads
    }

    private static func name(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> String? {
        guard let text = try errors.string(&reader, at: pointer) else { return nil }
        if PoolStore.isName(text) { return text }
        errors.add(pointer, "must be 1 to \(PoolLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -")
        return nil
    }
}
