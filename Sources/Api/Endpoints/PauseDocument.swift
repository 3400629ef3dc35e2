internal import JSON
internal import Jobs
internal import Pauses
internal import Telemetry
internal import Values
internal import Workers

/// What the API says of control.
enum PauseDocument {
    static func state(_ state: PauseState) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        write(state, to: &writer)
        writer.endObject()
        return writer.finish()
    }

    /// A scope after its change, and what each live worker has made of it.
    static func change(_ state: PauseState, _ workers: [LiveWorker], cancelled: Int?) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        write(state, to: &writer)
        if let cancelled { writer.member("cancelled", cancelled) }
        write(workers, at: state.version, to: &writer)
        writer.endObject()
        return writer.finish()
    }

    /// Every scope that was ever changed, and the workers.
    static func states(_ states: [PauseState], _ workers: [LiveWorker]) -> [UInt8] {
        let version = states.map(\.version).max() ?? 0
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("version", version)
        writer.member("paused", states.contains { $0.scope == .all && $0.isPaused })
        writer.key("scopes")
        writer.beginArray()
        for state in states {
            writer.beginObject()
            write(state, to: &writer)
            writer.endObject()
        }
        writer.endArray()
        write(workers, at: version, to: &writer)
        writer.endObject()
        return writer.finish()
    }

    static func history(_ entries: [PauseHistoryEntry], next: Int64?) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + 512 * entries.count)
        writer.beginObject()
        writer.key("changes")
        writer.beginArray()
        for entry in entries { write(entry, to: &writer) }
        writer.endArray()
        writer.optional("next_cursor", next) { $0.string(String($1)) }
        writer.endObject()
        return writer.finish()
    }

    private static func write(_ state: PauseState, to writer: inout JSONWriter) {
        writer.member("scope", state.scope.text)
        writer.member("version", state.version)
        writer.member("paused", state.isPaused)
        writer.optional("reason", state.reason) { $0.string($1) }
        writer.optional("updated_by", state.updatedBy) { $0.string($1) }
        writer.optional("updated_at", state.updatedAt) { $0.string($1) }
        writer.optional("resume_at", state.isPaused ? state.resumeAt : nil) { $0.string($1) }
    }

    private static func write(_ workers: [LiveWorker], at version: Int64, to writer: inout JSONWriter) {
        writer.member("acknowledged", workers.allSatisfy { $0.pauseVersion >= version })
        writer.key("workers")
        writer.beginArray()
        for worker in workers {
            writer.beginObject()
            writer.key("incarnation")
            writer.string(worker.description.incarnation)
            writer.member("name", worker.description.name)
            writer.member("acknowledged", worker.pauseVersion >= version)
            writer.member("control_version", worker.pauseVersion)
            writer.member("running", worker.running)
            writer.endObject()
        }
        writer.endArray()
    }

    private static func write(_ entry: PauseHistoryEntry, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("version", entry.version)
        writer.member("scope", entry.scope)
        writer.member("paused", entry.isPause)
        writer.member("reason", entry.reason)
        writer.member("updated_by", entry.updatedBy)
        writer.key("at")
        writer.string(entry.at)
        writer.optional("resume_at", entry.resumeAt) { $0.string($1) }
        writer.member("cancel_running", entry.cancelsRunning)
        writer.optional("client_address", entry.clientAddress) { $0.string($1) }
        writer.optional("request_id", entry.requestID) { $0.string($1) }
        writer.member("previous_hash", Hexadecimal.text(entry.previousHash))
        writer.member("hash", Hexadecimal.text(entry.hash))
        writer.endObject()
    }
}
