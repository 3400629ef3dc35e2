import JSON
import Jobs

extension Job {
    /// As the API shows it.
    var text: String {
        var writer = JSONWriter()
        write(to: &writer)
        return String(decoding: writer.finish(), as: UTF8.self)
    }
}

extension ChangeAnswer {
    /// The status that the job then had, if the change was done.
    var done: JobStatus? {
        if case .done(let job) = self { job.status } else { nil }
    }

    /// The status for which the change was refused.
    var refused: JobStatus? {
        if case .refused(let job) = self { job.status } else { nil }
    }

    var isUnknown: Bool {
        if case .unknown = self { true } else { false }
    }
}
