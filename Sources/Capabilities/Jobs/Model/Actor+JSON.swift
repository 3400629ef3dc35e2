public import JSON

extension Actor {
    private enum Member: String, CaseIterable {
        case reason
        case updatedBy = "updated_by"
    }

    private static let members = ObjectMembers<Member>()

    /// Reads `{"reason": "...", "updated_by": "..."}`, both optional. Incomplete after noting what is wrong.
    public static func read(_ input: inout InputReader) throws(JSONSyntaxError) -> Actor {
        var actor = Actor()
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .reason: actor.reason = try input.text(.reason)
            case .updatedBy: actor.name = try input.text(.actor)
            }
        }
        return actor
    }
}
