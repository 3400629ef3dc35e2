public import JSON

extension PauseChange {
    /// Reads the body of a request to pause or to resume. Incomplete after noting what is wrong.
    ///
    /// - Parameter scope: the scope that the path of the request gives; nil: the body may give it.
    public static func read(
        _ input: inout InputReader, _ action: Action, scope: PauseScope?
    ) throws(JSONSyntaxError) -> PauseChange {
        var change = PauseChange(reading: action, scope: scope)
        try input.object(fields(of: action, hasScope: scope == nil)) { input, field throws(JSONSyntaxError) in
            try change.read(field, from: &input)
        }
        return change
    }
}
