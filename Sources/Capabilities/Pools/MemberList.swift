/// The workloads that are assigned to one member.
public struct MemberList: Hashable, Sendable {
    public let member: String
    /// The version of the pool at the last change of this list.
    public let version: Int64
    public let workloads: [String]

    public init(member: String, version: Int64, workloads: [String]) {
        self.member = member
        self.version = version
        self.workloads = workloads
    }
}

/// The format of `config.yml`: the workloads of every member, for programs that read them from a file.
///
///     workloads:
///       swarm-worker-0:
///         jobs: ["stream:a", "stream:b"]
///         version: 3
public enum PoolConfig {
    /// YAML 1.2, restricted to the subset that YAML 1.1 reads alike.
    public static func yaml(_ lists: [MemberList]) -> String {
        guard !lists.isEmpty else { return "workloads: {}\n" }
        var text = "workloads:\n"
        for list in lists {
            text += "  \(scalar(list.member)):\n"
            text += "    jobs: [\(list.workloads.map(quoted).joined(separator: ", "))]\n"
            text += "    version: \(list.version)\n"
        }
        return text
    }

    /// A plain scalar if every parser reads it as a string, otherwise a quoted one.
    private static func scalar(_ text: String) -> String {
        let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        let isPlain =
            text.utf8.first.map(isLetter) == true && !words.contains(text.lowercased())
            && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x2e }
        return isPlain ? text : quoted(text)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// A double-quoted scalar (YAML 1.2 section 7.3.1).
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
