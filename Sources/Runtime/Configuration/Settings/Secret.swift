/// A text that must not be seen: printed, logged, dumped or interpolated it is `***`.
///
/// Deliberately not `Equatable`: comparing secrets takes constant time, which is the TLS module's to do.
public struct Secret: Sendable {
    private let text: String

    public init(_ text: String) {
        self.text = text
    }

    /// The text itself. Each use is a place where a secret leaves its wrapper: pass it on, never keep it.
    public var revealed: String { text }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "***" }
    public var debugDescription: String { "***" }
    /// No child shows the text, so that `dump` and a crash's description of a value do not either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
