internal import HTTP
internal import JSON
internal import Jobs

/// What a client hears of a body that is not what was asked for.
enum InputProblems {
    /// The body is not JSON: 400, with line and column.
    static func syntax(_ error: JSONSyntaxError) -> Problem {
        Problem(.badRequest, "the body is not valid JSON: \(error)")
            .with("line", .integer(error.position.line))
            .with("column", .integer(error.position.column))
    }

    /// The body is JSON, and says something that is not accepted: 422 with everything that is wrong; 413 when what is
    /// wrong is the size of a payload.
    static func invalid(_ errors: InputErrors) -> Problem {
        var detail = "the body has \(errors.count == 1 ? "an error" : "\(errors.count) errors")"
        if errors.all.count < errors.count { detail += ", of which the first \(errors.all.count) are listed" }
        let status = errors.hasOversizedPayload ? Status.contentTooLarge : .unprocessableContent
        return Problem(
            status, detail, errors: errors.all.map { .init(.pointer($0.pointer.text), $0.detail) })
    }
}
