internal import JSON
internal import Pauses
internal import Workers

/// The documents about pauses that join several models.
enum PauseDocument {
    /// Every scope that was ever changed, and the live workers.
    static func states(_ states: [PauseState], _ workers: [LiveWorker]) -> [UInt8] {
        let version = states.map(\.version).max() ?? 0
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("version", version)
        writer.member("paused", states.contains { $0.scope == .all && $0.isPaused })
        writer.array("scopes", states) { $1.write(to: &$0) }
        writer.member("acknowledged", workers.allSatisfy { $0.pauseVersion >= version })
        writer.array("workers", workers) { $1.writeAcknowledgement(of: version, to: &$0) }
        writer.endObject()
        return writer.finish()
    }

    /// A page of the history.
    static func history(_ entries: [PauseHistoryEntry], next: Int64?) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + 512 * entries.count)
        writer.beginObject()
        writer.array("changes", entries) { $1.write(to: &$0) }
        writer.optional("next_cursor", next) { $0.string(String($1)) }
        writer.endObject()
        return writer.finish()
    }
}

extension JSONWriter {
    /// The text that `write` writes.
    static func text(capacity: Int = 0, _ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        write(&writer)
        return writer.finish()
    }
}
