/// The types of settings. Each method declares a variable and returns its value, or the default if the variable is not
/// set or invalid. `defaultText` describes a default that depends on the machine.
extension SettingsReader {
    /// A text. `accepts` describes the values for which `isValid` returns true.
    public mutating func string(
        _ name: String, default value: String, help: String, accepts accepted: String = "text",
        where isValid: (String) -> Bool = { _ in true }
    ) -> String {
        read(.init(name, accepted, default: value, help: help), fallback: value) { text throws(SettingMistake) in
            try SettingText.checked(text, isValid)
        }
    }

    /// An optional text; nil if not set.
    public mutating func optionalString(
        _ name: String, help: String, accepts accepted: String = "text", where isValid: (String) -> Bool = { _ in true }
    ) -> String? {
        read(.init(name, accepted, help: help), fallback: nil) { text throws(SettingMistake) in
            try SettingText.checked(text, isValid)
        }
    }

    /// A required text; empty if not set or invalid.
    public mutating func requiredString(
        _ name: String, help: String, accepts accepted: String = "text", where isValid: (String) -> Bool = { _ in true }
    ) -> String {
        read(.init(name, accepted, isRequired: true, help: help), fallback: "") { text throws(SettingMistake) in
            try SettingText.checked(text, isValid)
        }
    }

    /// A required secret of visible ASCII characters, which can be sent in an HTTP header; empty if not set or invalid.
    public mutating func secret(_ name: String, charactersMin: Int, help: String) -> Secret {
        secret(name, charactersMin: charactersMin, isRequired: true, help: help) ?? Secret("")
    }

    /// An optional secret of visible ASCII characters; nil if not set or invalid.
    public mutating func optionalSecret(_ name: String, charactersMin: Int, help: String) -> Secret? {
        secret(name, charactersMin: charactersMin, isRequired: false, help: help)
    }

    private mutating func secret(_ name: String, charactersMin: Int, isRequired: Bool, help: String) -> Secret? {
        let accepted = "\(charactersMin) or more visible ASCII characters"
        return read(
            .init(name, accepted, isRequired: isRequired, isSecret: true, help: help), fallback: nil
        ) { text throws(SettingMistake) in
            guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw SettingMistake("contains a blank, control or non-ASCII character")
            }
            guard text.utf8.count >= charactersMin else {
                throw SettingMistake("has only \(text.utf8.count) characters")
            }
            return Secret(text)
        }
    }

    /// A decimal integer.
    public mutating func integer(
        _ name: String, default value: Int, defaultText: String? = nil, in range: ClosedRange<Int>, help: String
    ) -> Int {
        precondition(range.contains(value), "the default of \(name) is out of its range")
        let accepted = "an integer from \(range.lowerBound) to \(range.upperBound)"
        return read(
            .init(name, accepted, default: defaultText ?? value.description, help: help), fallback: value
        ) { text throws(SettingMistake) in
            guard let value = SettingText.integer(text) else { throw SettingMistake("is not an integer") }
            guard range.contains(value) else { throw SettingMistake("is out of range") }
            return value
        }
    }

    /// A duration in seconds, with up to six decimal places. The variable's name ends in `_SECONDS`, or in `_INTERVAL`
    /// for names fixed by the API.
    public mutating func seconds(
        _ name: String, default value: Duration, in range: ClosedRange<Duration>, help: String
    ) -> Duration {
        precondition(range.contains(value), "the default of \(name) is out of its range")
        return seconds(name, in: range, defaultText: SettingText.seconds(value), help: help) ?? value
    }

    /// An optional duration in seconds, with up to six decimal places; nil if not set or invalid.
    public mutating func optionalSeconds(
        _ name: String, in range: ClosedRange<Duration>, help: String
    ) -> Duration? {
        seconds(name, in: range, defaultText: nil, help: help)
    }

    private mutating func seconds(
        _ name: String, in range: ClosedRange<Duration>, defaultText: String?, help: String
    ) -> Duration? {
        let bounds = (SettingText.seconds(range.lowerBound), SettingText.seconds(range.upperBound))
        let accepted = "seconds from \(bounds.0) to \(bounds.1)"
        return read(.init(name, accepted, default: defaultText, help: help), fallback: nil) {
            text throws(SettingMistake) in
            guard let value = SettingText.seconds(text) else { throw SettingMistake("is not a number of seconds") }
            guard range.contains(value) else { throw SettingMistake("is out of range") }
            return value
        }
    }

    /// A boolean.
    public mutating func boolean(_ name: String, default value: Bool, help: String) -> Bool {
        let accepted = "true or false (also 1/0, yes/no, on/off)"
        return read(.init(name, accepted, default: value.description, help: help), fallback: value) {
            text throws(SettingMistake) in
            switch text.lowercased() {
            case "true", "1", "yes", "on": return true
            case "false", "0", "no", "off": return false
            default: throw SettingMistake("is not a boolean")
            }
        }
    }

    /// A case of an enumeration, in upper or lower case.
    public mutating func enumeration<Choice>(_ name: String, default value: Choice, help: String) -> Choice
    where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
        let accepted = "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return read(.init(name, accepted, default: value.rawValue, help: help), fallback: value) {
            text throws(SettingMistake) in
            guard let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
                throw SettingMistake("is not a known value")
            }
            return choice
        }
    }

    /// A size in bytes, such as `1048576` or `1MiB`.
    public mutating func bytes(_ name: String, default value: Int, in range: ClosedRange<Int>, help: String) -> Int {
        precondition(range.contains(value), "the default of \(name) is out of its range")
        let bounds = (SettingText.bytes(range.lowerBound), SettingText.bytes(range.upperBound))
        let accepted = "bytes from \(bounds.0) to \(bounds.1), also as KiB, MiB or GiB"
        return read(.init(name, accepted, default: SettingText.bytes(value), help: help), fallback: value) {
            text throws(SettingMistake) in
            guard let value = SettingText.bytes(text) else { throw SettingMistake("is not a number of bytes") }
            guard range.contains(value) else { throw SettingMistake("is out of range") }
            return value
        }
    }

    /// Comma-separated texts without surrounding blanks. Empty elements are dropped. Empty if not set.
    public mutating func list(
        _ name: String, defaultText: String? = nil, help: String, accepts accepted: String = "comma-separated texts",
        whereEach isValid: (String) -> Bool = { _ in true }
    ) -> [String] {
        read(.init(name, accepted, default: defaultText, help: help), fallback: []) { text throws(SettingMistake) in
            let elements = SettingText.list(text)
            if let wrong = elements.first(where: { !isValid($0) }) {
                throw SettingMistake("contains the element \(Quoted.text(wrong)), which is not accepted")
            }
            return elements
        }
    }

    /// The path of a file that this process can read; nil if not set or not readable.
    /// - Parameter isAwaited: whether a file that does not exist may come later (`filesToAwait`).
    public mutating func optionalFile(_ name: String, help: String, isAwaited: Bool = false) -> String? {
        path(name, .file, accepted: "the path of a readable file", default: nil, isAwaited: isAwaited, help: help)
    }

    /// The path of a directory that this process can read. The default is not checked here, but where it is used.
    public mutating func directory(_ name: String, default value: String, help: String) -> String {
        path(name, .directory, accepted: "the path of a readable directory", default: value, help: help) ?? value
    }

    private mutating func path(
        _ name: String, _ kind: SmallFile.Kind, accepted: String, default value: String?, isAwaited: Bool = false,
        help: String
    ) -> String? {
        var absent: String?
        defer { if let absent { note(absenceOf: absent, of: name) } }
        return read(.init(name, accepted, default: value, hasFileForm: false, help: help), fallback: nil) {
            text throws(SettingMistake) in
            do throws(SmallFileError) {
                try SmallFile.check(text, isA: kind)
            } catch {
                if isAwaited { absent = text }
                throw SettingMistake("cannot be used: \(error.problem)")
            }
            return text
        }
    }
}

extension SettingDeclaration {
    init(
        _ name: String, _ accepted: String, default defaultText: String? = nil, isRequired: Bool = false,
        isSecret: Bool = false, hasFileForm: Bool = true, help: String
    ) {
        self.init(
            name: name, accepted: accepted, defaultText: defaultText, isRequired: isRequired, isSecret: isSecret,
            hasFileForm: hasFileForm, help: help)
    }
}
