public import JSON
internal import Values

extension PauseHistoryEntry {
    /// Appends the change as an object.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("version", version)
        writer.member("scope", scope)
        writer.member("paused", isPause)
        writer.member("reason", reason)
        writer.member("updated_by", updatedBy)
        writer.key("at")
        writer.string(at)
        writer.optional("resume_at", resumeAt) { $0.string($1) }
        writer.member("cancel_running", cancelsRunning)
        writer.optional("client_address", clientAddress) { $0.string($1) }
        writer.optional("request_id", requestID) { $0.string($1) }
        writer.member("previous_hash", Hexadecimal.text(previousHash))
        writer.member("hash", Hexadecimal.text(hash))
        writer.endObject()
    }
}
