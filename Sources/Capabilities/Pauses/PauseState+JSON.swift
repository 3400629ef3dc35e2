public import JSON

extension PauseState {
    /// Appends the scope and its state as an object.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
    }

    /// Appends the members of `write`.
    func writeMembers(to writer: inout JSONWriter) {
        writer.member("scope", scope.text)
        writer.member("version", version)
        writer.member("paused", isPaused)
        writer.optional("reason", reason) { $0.string($1) }
        writer.optional("updated_by", updatedBy) { $0.string($1) }
        writer.optional("updated_at", updatedAt) { $0.string($1) }
        writer.optional("resume_at", isPaused ? resumeAt : nil) { $0.string($1) }
    }
}
