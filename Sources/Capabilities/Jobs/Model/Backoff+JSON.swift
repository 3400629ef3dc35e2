public import JSON

extension Backoff {
    /// Appends the form that `read` accepts.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .standard:
            writer.member("kind", "standard")
        case .exponential(let base, let most):
            writer.member("kind", "exponential")
            writer.member("base_seconds", base)
            writer.member("max_seconds", most)
        case .fixed(let base):
            writer.member("kind", "fixed")
            writer.member("base_seconds", base)
        case .none:
            writer.member("kind", "none")
        }
        writer.endObject()
    }

    private enum Member: String, CaseIterable {
        case kind
        case baseSeconds = "base_seconds"
        case maxSeconds = "max_seconds"
    }

    private static let members = ObjectMembers<Member>()

    /// Reads `{"kind":"exponential","base_seconds":1,"max_seconds":60}`, `{"kind":"fixed","base_seconds":5}`,
    /// `{"kind":"none"}` or `{"kind":"standard"}`. nil after noting what is wrong.
    static func read(_ input: inout InputReader) throws(JSONSyntaxError) -> Backoff? {
        var kind: String?
        var base: Double?
        var most: Double?
        let before = input.errors.count
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .kind: kind = try input.string()
            case .baseSeconds: base = try readSeconds(&input)
            case .maxSeconds: most = try readSeconds(&input)
            }
        }
        guard input.errors.count == before else { return nil }
        switch (kind, base, most) {
        case ("standard", nil, nil): return .standard
        case ("none", nil, nil): return Backoff.none
        case ("fixed", let base?, nil): return .fixed(baseSeconds: base)
        case ("exponential", let base?, let most?): return .exponential(baseSeconds: base, maxSeconds: most)
        default:
            input.add(
                "must be {\"kind\":\"exponential\",\"base_seconds\":...,\"max_seconds\":...}, "
                    + "{\"kind\":\"fixed\",\"base_seconds\":...}, {\"kind\":\"none\"} or {\"kind\":\"standard\"}")
            return nil
        }
    }

    private static func readSeconds(_ input: inout InputReader) throws(JSONSyntaxError) -> Double? {
        try input.number(in: 0...Double(JobLimits.backoffSecondsMax), noun: "a number of seconds")
    }
}
