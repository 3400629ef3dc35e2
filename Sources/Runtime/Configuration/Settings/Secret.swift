/// A secret text. When printed, logged, dumped or interpolated it is `***`.
///
/// Not `Equatable`, because secrets must be compared in constant time (`isEqualInConstantTime` in TLS).
public struct Secret: Sendable {
    private let text: String

    public init(_ text: String) {
        self.text = text
    }

    /// The secret text. It should be passed on, not stored.
    public var revealed: String { text }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "***" }
    public var debugDescription: String { "***" }
    /// Has no children, so that `dump` and a crash report do not show the text.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
