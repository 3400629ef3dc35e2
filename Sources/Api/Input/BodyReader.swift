internal import HTTP
internal import JSON
internal import Jobs
internal import Values

/// Reads the body of a request: whole, strictly, and with all of its errors at once. Each model reads its own JSON form
/// (`Model+JSON.swift` in its capability).
enum BodyReader {
    /// Throws 400 if the body is not JSON, and 422 or 413 with all errors if it is not accepted.
    static func read<Value>(
        _ request: Request, _ read: (inout InputReader) throws(JSONSyntaxError) -> Value
    ) throws(Problem) -> Value {
        let (value, errors): (Value, InputErrors)
        do throws(JSONSyntaxError) {
            (value, errors) = try InputReader.read(request.body, read)
        } catch {
            throw InputProblems.syntax(error)
        }
        guard errors.isEmpty else { throw InputProblems.invalid(errors) }
        return value
    }

    /// The job of `POST /api/jobs`.
    static func job(_ request: Request, payloadBytesMax: Int) throws(Problem) -> NewJob {
        let job = try read(request) { input throws(JSONSyntaxError) in
            try NewJob.read(&input, payloadBytesMax: payloadBytesMax)
        }
        guard var job else { preconditionFailure("a job that is not accepted has an error") }
        job.adoptTrace(of: request)
        return job
    }

    /// The jobs of `POST /api/jobs/batch`.
    static func jobs(_ request: Request, payloadBytesMax: Int) throws(Problem) -> [NewJob] {
        var jobs = try read(request) { input throws(JSONSyntaxError) in
            try NewJob.readBatch(&input, payloadBytesMax: payloadBytesMax)
        }
        for index in jobs.indices { jobs[index].adoptTrace(of: request) }
        return jobs
    }

    /// The actor that changes a job, and its reason. Both are optional, so the body may be empty.
    static func actor(_ request: Request) throws(Problem) -> Actor {
        guard !request.body.isEmpty else { return .unnamed }
        return try read(request) { input throws(JSONSyntaxError) in try Actor.read(&input) }
    }
}

extension NewJob {
    /// The trace of the request becomes that of the job, unless the body has one. A malformed one is ignored, as W3C
    /// Trace Context requires (section 3.3).
    fileprivate mutating func adoptTrace(of request: Request) {
        guard traceParent == nil, let field = request.fields.only(.traceparent), TraceParent(parsing: field) != nil
        else { return }
        traceParent = String(decoding: field, as: UTF8.self)
    }
}
