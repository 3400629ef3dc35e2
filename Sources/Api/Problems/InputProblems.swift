internal import HTTP
internal import JSON

/// The responses to a body that is not accepted.
enum InputProblems {
    /// 400, with line and column: the body is not JSON.
    static func syntax(_ error: JSONSyntaxError) -> Problem {
        Problem(.badRequest, "the body is not valid JSON: \(error)")
            .with("line", .integer(error.position.line))
            .with("column", .integer(error.position.column))
    }

    /// 422 with the errors of the body; 413 if one of them is the length of a payload.
    static func invalid(_ errors: InputErrors) -> Problem {
        Problem.invalid(
            "body", errors.hasOversizedValue ? .contentTooLarge : .unprocessableContent,
            errors.all.map { .init(.pointer($0.pointer.text), $0.detail) }, count: errors.count)
    }
}
