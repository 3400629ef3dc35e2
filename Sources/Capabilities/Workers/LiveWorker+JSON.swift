public import JSON

extension LiveWorker {
    /// Appends the worker as an object.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("incarnation")
        writer.string(description.incarnation)
        writer.member("name", description.name)
        writer.member("host", description.host)
        writer.member("version", description.version)
        writer.optional("queues", description.queues, Self.write)
        writer.optional("types", description.types, Self.write)
        writer.member("concurrency", description.concurrency)
        writer.member("running", running)
        writer.member("control_version", pauseVersion)
        writer.member("paused_by_file", isPausedByFile)
        writer.key("started_at")
        writer.string(startedAt)
        writer.key("heartbeat_at")
        writer.string(heartbeatAt)
        writer.endObject()
    }

    /// Appends whether the worker has acknowledged the pause state of a version.
    public func writeAcknowledgement(of version: Int64, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("incarnation")
        writer.string(description.incarnation)
        writer.member("name", description.name)
        writer.member("acknowledged", pauseVersion >= version)
        writer.member("control_version", pauseVersion)
        writer.member("paused_by_file", isPausedByFile)
        writer.member("running", running)
        writer.endObject()
    }

    private static func write(to writer: inout JSONWriter, _ texts: [String]) {
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }
}
