/// Dockerfiles, as far as they can be judged without building them.
enum Containers {
    /// One instruction with the lines that continue it, without comments.
    struct Instruction: Equatable {
        var line: Int
        var name: String
        var arguments: String
    }

    static func instructions(_ text: String) -> [Instruction] {
        var instructions: [Instruction] = []
        var isContinued = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            let ends = !content.hasSuffix("\\")
            let words = ends ? content : content.dropLast()
            if isContinued {
                instructions[instructions.count - 1].arguments += words
            } else {
                let name = words.prefix { $0 != " " }
                let arguments = words.dropFirst(name.count).drop { $0 == " " }
                instructions.append(Instruction(line: index + 1, name: String(name), arguments: String(arguments)))
            }
            isContinued = !ends
        }
        return instructions
    }

    /// The images that it begins with: the default of each ARG before the first stage.
    static func bases(_ text: String) -> [String] {
        instructions(text).prefix { $0.name != "FROM" }.filter { $0.name == "ARG" }.map(\.arguments)
    }

    /// `isInContext` tells whether a path is there and .dockerignore lets it through.
    static func dockerfile(path: String, text: String, version: String, isInContext: (String) -> Bool) -> [Finding] {
        let instructions = instructions(text)
        func finding(_ instruction: Instruction, _ message: String) -> Finding {
            Finding(path: path, line: instruction.line, message: message)
        }
        var findings: [Finding] = []
        for instruction in instructions {
            switch instruction.name {
            case "FROM" where !instruction.arguments.hasPrefix("${"):
                findings.append(finding(instruction, "names an image: that is the default of an ARG above it"))
            case "COPY" where !instruction.arguments.hasPrefix("--from="):
                let sources = instruction.arguments.split(separator: " ").dropLast().map(String.init)
                for source in sources where !isInContext(source) {
                    findings.append(finding(instruction, "copies \(source), which is not in the context"))
                }
            case "ENTRYPOINT", "CMD":
                if !instruction.arguments.hasPrefix("[") { findings.append(finding(instruction, "needs a shell")) }
            case "HEALTHCHECK":
                if !instruction.arguments.contains("CMD [") { findings.append(finding(instruction, "needs a shell")) }
            case "ARG" where instruction.arguments.hasPrefix("VERSION="):
                if instruction.arguments != "VERSION=\(version)" {
                    findings.append(finding(instruction, "is not the version of the product, \(version)"))
                }
            default: break
            }
            if instruction.arguments.contains(/--mount=|--chmod=|<</) {
                findings.append(finding(instruction, "is understood by BuildKit only"))
            }
        }
        // Kubernetes can tell that it is not root only from a number.
        if instructions.last(where: { $0.name == "USER" })?.arguments != "10001:10001" {
            findings.append(Finding(path: path, line: nil, message: "does not end as USER 10001:10001"))
        }
        return findings
    }

    /// The paths that an allow-list lets through: its first line refuses everything, each other one allows a path.
    static func allowed(ignoreFile text: String) -> [String]? {
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        guard lines.first == "*", lines.dropFirst().allSatisfy({ $0.hasPrefix("!") }) else { return nil }
        return lines.dropFirst().map { String($0.dropFirst()) }
    }
}
