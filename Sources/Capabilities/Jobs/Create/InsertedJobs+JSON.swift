public import JSON
internal import Values

extension InsertedJobs {
    /// Appends the ids of the jobs, in the order of the request.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.array("jobs", zip(ids, existing)) { writer, job in
            writer.beginObject()
            writer.key("id")
            writer.string(job.0)
            writer.member("existing", job.1)
            writer.endObject()
        }
        writer.endObject()
    }
}
