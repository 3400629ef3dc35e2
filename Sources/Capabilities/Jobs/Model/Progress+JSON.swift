internal import JSON

extension Progress {
    /// As the API shows it.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("percent", percent)
        writer.optional("message", message) { $0.string($1) }
        writer.key("reported_at")
        writer.string(reportedAt)
        writer.endObject()
    }
}
