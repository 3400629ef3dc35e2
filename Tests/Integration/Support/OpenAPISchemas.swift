import JSON

/// The schemas of an OpenAPI document, as far as they describe the members of answers. Patterns, formats and ranges are
/// not looked at.
struct OpenAPISchemas: Sendable {
    let document: JSONValue

    /// The component with this name.
    func schema(_ name: String) -> JSONValue? {
        document["components"]?["schemas"]?[name]
    }

    /// The schema of a response with JSON; nil: it is not described.
    func response(_ method: String, _ pattern: String, status: Int) -> JSONValue? {
        let responses = document["paths"]?[pattern]?[method.lowercased()]?["responses"]
        guard let response = responses?[String(status)].map(resolved) else { return nil }
        let type = status < 400 ? "application/json" : "application/problem+json"
        return response["content"]?[type]?["schema"]
    }

    /// The target of a reference; the value itself if it is no reference.
    private func resolved(_ value: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.string else { return value }
        return reference.dropFirst(2).split(separator: "/").reduce(document) { $0[String($1)] ?? .null }
    }

    /// In what the value is not as the schema describes it, one sentence each.
    func differences(_ value: JSONValue, _ given: JSONValue, at place: String = "") -> [String] {
        let schema = resolved(given)
        if let choices = (schema["anyOf"] ?? schema["oneOf"])?.array {
            let found = choices.map { differences(value, $0, at: place) }
            return found.contains([]) ? [] : found.min { $0.count < $1.count } ?? []
        }
        if let constant = schema["const"] { return value == constant ? [] : ["\(place) is not \(constant.text)"] }
        if let values = schema["enum"]?.array, !values.contains(value) { return ["\(place) is \(value.text)"] }
        let types = schema["type"]?.array?.compactMap(\.string) ?? schema["type"]?.string.map { [$0] }
        if let types, !types.contains(where: { Self.isValue(value, of: $0) }) {
            return ["\(place) is not \(types): \(value.text)"]
        }
        if let items = schema["items"] {
            return (value.array ?? []).enumerated().flatMap { differences($1, items, at: "\(place)/\($0)") }
        }
        return value.object.map { memberDifferences($0, schema, at: place) } ?? []
    }

    private func memberDifferences(_ members: [JSONMember], _ schema: JSONValue, at place: String) -> [String] {
        let parts = [schema] + (schema["allOf"]?.array ?? []).map(resolved)
        let properties = parts.flatMap { $0["properties"]?.object ?? [] }
        let others = schema["additionalProperties"]
        // Any JSON.
        if properties.isEmpty, others == nil { return [] }
        let required = parts.flatMap { $0["required"]?.array ?? [] }.compactMap(\.string)
        let names = Set(members.map(\.name))
        let missing = required.filter { !names.contains($0) }.map { "\(place)/\($0) is missing" }
        return missing
            + members.flatMap { member in
                let property = properties.first { $0.name == member.name }?.value ?? others
                return property.map { differences(member.value, $0, at: "\(place)/\(member.name)") }
                    ?? ["\(place)/\(member.name) is not described"]
            }
    }

    private static func isValue(_ value: JSONValue, of type: String) -> Bool {
        switch value.kind {
        case .null: type == "null"
        case .bool: type == "boolean"
        case .number: type == "number" || type == "integer" && value.integer != nil
        case .string: type == "string"
        case .array: type == "array"
        case .object: type == "object"
        }
    }
}
