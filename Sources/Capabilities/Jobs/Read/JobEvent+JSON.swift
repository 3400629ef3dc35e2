public import JSON

extension JobEvent {
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("at")
        writer.string(at)
        writer.optional("from", from) { $0.string($1.rawValue) }
        writer.member("to", to.rawValue)
        writer.member("transition", transition)
        writer.member("attempt", attempt)
        writer.optional("worker", worker) { $0.string($1) }
        writer.optional("actor", actor) { $0.string($1) }
        writer.optional("reason", reason) { $0.string($1) }
        writer.endObject()
    }
}
