import EventLoop
import Synchronization

/// What a process has written on standard output and standard error, line by line, in the order of arrival.
final class ServiceOutput: Sendable {
    enum Stream: Int {
        case standardOutput, standardError
    }

    private struct State {
        var lines: [String] = []
        /// Of each stream, the bytes after its last line feed.
        var unfinished: [[UInt8]] = [[], []]
        var openStreams = 2
        var waiting: [Waiting] = []
    }

    private struct Waiting {
        let text: String
        let answer: FirstAnswer<String?>
    }

    private let state = Mutex(State())

    var lines: [String] { state.withLock { $0.lines } }

    /// Takes all that `pipe` gives, until its end. Runs on the loop of the pipe.
    func collect(_ stream: Stream, from pipe: PipeEnd) async {
        var chunk: [UInt8] = []
        while let count = try? await pipe.read(into: &chunk, atMost: 65_536, deadline: nil), count > 0 {
            append(chunk, to: stream)
            chunk.removeAll(keepingCapacity: true)
        }
        end(stream)
    }

    private func append(_ bytes: [UInt8], to stream: Stream) {
        state.withLock { state in
            var rest = bytes[...]
            while let lineFeed = rest.firstIndex(of: UInt8(ascii: "\n")) {
                state.unfinished[stream.rawValue] += rest[..<lineFeed]
                Self.finishLine(of: stream, in: &state)
                rest = rest[(lineFeed + 1)...]
            }
            state.unfinished[stream.rawValue] += rest
        }
    }

    private static func finishLine(of stream: Stream, in state: inout State) {
        let line = String(decoding: state.unfinished[stream.rawValue], as: UTF8.self)
        state.unfinished[stream.rawValue].removeAll(keepingCapacity: true)
        state.lines.append(line)
        for waiting in state.waiting where line.contains(waiting.text) { waiting.answer.give(line) }
        state.waiting.removeAll { line.contains($0.text) }
    }

    private func end(_ stream: Stream) {
        state.withLock { state in
            if !state.unfinished[stream.rawValue].isEmpty { Self.finishLine(of: stream, in: &state) }
            state.openStreams -= 1
            guard state.openStreams == 0 else { return }
            for waiting in state.waiting { waiting.answer.give(nil) }
            state.waiting = []
        }
    }

    /// The first line from index `start` on that contains `text`; nil when the output ends, or `duration` passes,
    /// without one.
    func line(containing text: String, from start: Int, within duration: Duration) async -> String? {
        let answer = FirstAnswer<String?>()
        state.withLock { state in
            if let line = state.lines.dropFirst(start).first(where: { $0.contains(text) }) {
                answer.give(line)
            } else if state.openStreams == 0 {
                answer.give(nil)
            } else {
                state.waiting.append(Waiting(text: text, answer: answer))
                answer.give(nil, after: duration)
            }
        }
        return await answer.take()
    }
}
