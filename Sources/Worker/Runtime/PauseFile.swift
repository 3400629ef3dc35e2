internal import Configuration
internal import JSON

/// A file that can pause one worker, such as a mounted ConfigMap: the word `paused` or `running`, or an object such as
/// `{"paused": true, "reason": "..."}`. A missing file pauses nothing.
struct PauseFile: Sendable {
    enum Content: Hashable, Sendable {
        case paused(Bool)
        /// Not understood: the reason.
        case invalid(String)
    }

    private static let bytesMax = 64 * 1_024

    let path: String

    func read() -> Content {
        guard SmallFile.exists(path) else { return .paused(false) }
        do throws(SmallFileError) {
            return Self.parse(try SmallFile.bytes(of: path, bytesMax: Self.bytesMax))
        } catch {
            return .invalid("\(error)")
        }
    }

    static func parse(_ bytes: [UInt8]) -> Content {
        let text = String(decoding: bytes, as: UTF8.self)
        switch text.filter({ !$0.isWhitespace }) {
        case "", "running", "false": return .paused(false)
        case "paused", "true": return .paused(true)
        default: break
        }
        do throws(JSONError) {
            var reader = JSONReader(bytes)
            var isPaused: Bool?
            try reader.beginObject()
            while let key = try reader.nextMember() {
                if key == "paused" { isPaused = try reader.readBool() } else { _ = try reader.skipValue() }
            }
            try reader.finish()
            return isPaused.map { .paused($0) } ?? .invalid("the member \"paused\" is missing")
        } catch {
            return .invalid(
                "must be the word paused, the word running, or a JSON object such as {\"paused\": true}: \(error)")
        }
    }
}
