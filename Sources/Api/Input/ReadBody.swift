internal import HTTP
internal import JSON
internal import Jobs
internal import Telemetry
internal import Values

/// Reads the bodies of requests: whole, strictly, and with all of their errors at once.
enum BodyReader {
    /// The job of `POST /api/jobs`.
    static func job(_ request: Request, payloadBytesMax: Int) throws(Problem) -> NewJob {
        var errors = InputErrors()
        var job: NewJob?
        do throws(JSONError) {
            var reader = JSONReader(request.body)
            job = try NewJob.read(&reader, at: .root, payloadBytesMax: payloadBytesMax, into: &errors)
            try reader.finish()
        } catch {
            throw problem(error)
        }
        guard var job, errors.isEmpty else { throw InputProblems.invalid(errors) }
        job.adoptTrace(of: request)
        return job
    }

    /// The jobs of `POST /api/jobs/batch`.
    static func jobs(_ request: Request, payloadBytesMax: Int) throws(Problem) -> [NewJob] {
        var errors = InputErrors()
        var jobs: [NewJob] = []
        do throws(JSONError) {
            var reader = JSONReader(request.body)
            try readBatch(&reader, payloadBytesMax: payloadBytesMax, jobs: &jobs, into: &errors)
            try reader.finish()
        } catch {
            throw problem(error)
        }
        guard errors.isEmpty else { throw InputProblems.invalid(errors) }
        for index in jobs.indices { jobs[index].adoptTrace(of: request) }
        return jobs
    }

    /// Who changes a job and why: `{"reason": "...", "updated_by": "..."}`. Many clients say nothing, and send no body.
    static func actor(_ request: Request) throws(Problem) -> Actor {
        guard !request.body.isEmpty else { return .unnamed }
        return try whole(request) { reader, errors throws(JSONError) in
            try Actor.read(&reader, at: .root, into: &errors)
        }
    }

    /// The settings of `PUT /api/queues/{name}`.
    static func queueSettings(_ request: Request) throws(Problem) -> QueueSettings {
        try whole(request) { reader, errors throws(JSONError) in
            try QueueSettings.read(&reader, at: .root, into: &errors)
        }
    }

    /// What `POST /api/jobs/cancel` and `/retry` are to change.
    static func bulkChange(_ request: Request, _ verb: BulkChange.Verb) throws(Problem) -> BulkChange {
        try whole(request) { reader, errors throws(JSONError) in
            try BulkChange.read(&reader, as: verb, at: .root, into: &errors)
        }
    }

    /// What is to be paused or resumed, and why.
    static func control(_ request: Request, isPause: Bool, takesScope: Bool) throws(Problem) -> PauseInput {
        try whole(request) { reader, errors throws(JSONError) in
            try PauseInput.read(&reader, isPause: isPause, takesScope: takesScope, into: &errors)
        }
    }

    /// What a pool is to run.
    static func pool(_ request: Request) throws(Problem) -> PoolInput {
        try whole(request) { reader, errors throws(JSONError) in try PoolInput.read(&reader, into: &errors) }
    }

    private static func whole<Value>(
        _ request: Request, _ read: (inout JSONReader, inout InputErrors) throws(JSONError) -> Value
    ) throws(Problem) -> Value {
        var errors = InputErrors()
        let value: Value
        do throws(JSONError) {
            var reader = JSONReader(request.body)
            value = try read(&reader, &errors)
            try reader.finish()
        } catch {
            throw problem(error)
        }
        guard errors.isEmpty else { throw InputProblems.invalid(errors) }
        return value
    }

    private static func problem(_ error: JSONError) -> Problem {
        switch error {
        case .syntax(let error): InputProblems.syntax(error)
        case .type(let error): Problem(.unprocessableContent, error.description)
        }
    }

    // MARK: A batch

    private static func readBatch(
        _ reader: inout JSONReader, payloadBytesMax: Int, jobs: inout [NewJob], into errors: inout InputErrors
    ) throws(JSONError) {
        guard try reader.enterObject(at: .root, into: &errors) else { return }
        var seen = JSONNameSet()
        var hasJobs = false
        while let key = try reader.nextMember() {
            if !seen.insert(key) {
                errors.add(.root.appending(key.text), "appears more than once")
            } else if key == "jobs" {
                hasJobs = true
                try readJobs(&reader, payloadBytesMax: payloadBytesMax, jobs: &jobs, into: &errors)
            } else {
                errors.add(.root.appending(key.text), "is not known here")
            }
        }
        if !hasJobs { errors.add(.root.appending("jobs"), "is required") }
    }

    private static func readJobs(
        _ reader: inout JSONReader, payloadBytesMax: Int, jobs: inout [NewJob], into errors: inout InputErrors
    ) throws(JSONError) {
        let pointer = JSONPointer.root.appending("jobs")
        do throws(JSONError) {
            try reader.beginArray()
        } catch .type(let error) {
            return errors.add(pointer, error.description)
        }
        var count = 0
        while try reader.nextElement() {
            defer { count += 1 }
            // More are counted, and not looked at.
            guard count < JobLimits.bulkJobsMax else { continue }
            let job = try NewJob.read(
                &reader, at: pointer.appending(count), payloadBytesMax: payloadBytesMax, into: &errors)
            if let job { jobs.append(job) }
        }
        if count == 0 || count > JobLimits.bulkJobsMax {
            errors.add(pointer, "has \(count) jobs; 1 to \(JobLimits.bulkJobsMax) are accepted")
        }
    }
}

extension JSONReader {
    /// Whether an object was entered; if not, that is noted.
    fileprivate mutating func enterObject(
        at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Bool {
        do throws(JSONError) {
            try beginObject()
            return true
        } catch .type(let error) {
            errors.add(pointer, error.description)
            return false
        }
    }
}

extension NewJob {
    /// The trace of the request is the job's, unless its body named one. One that is malformed is ignored, as W3C Trace
    /// Context asks (section 3.3).
    fileprivate mutating func adoptTrace(of request: Request) {
        guard traceParent == nil, let field = request.fields.only(.traceparent), TraceParent(parsing: field) != nil
        else { return }
        traceParent = String(decoding: field, as: UTF8.self)
    }
}
