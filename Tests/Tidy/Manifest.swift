/// The targets of Package.swift, with their layers and the imports that they may have.
struct Manifest {
    struct Target: Equatable {
        var name: String
        var layer: Layer
        var imports: [String]

        /// The folder with its files.
        var folder: String {
            switch layer {
            case .boundary: "Sources/CBoundary/\(name)"
            case .runtime: "Sources/Runtime/\(name)"
            case .protocols: "Sources/Protocols/\(name)"
            case .capabilities: "Sources/Capabilities/\(name)"
            case .service, .programs: "Sources/\(name)"
            case .tests: "Tests/\(name)"
            }
        }
    }

    /// From the bottom to the top. The headings of Package.swift have these names.
    enum Layer: String, CaseIterable, Comparable {
        case boundary = "C boundary"
        case runtime = "Runtime"
        case protocols = "Protocols"
        case service = "Service"
        case capabilities = "Capabilities"
        case programs = "Programs"
        case tests = "Tests"

        private var height: Int { Self.allCases.firstIndex(of: self) ?? 0 }

        static func < (left: Layer, right: Layer) -> Bool { left.height < right.height }
    }

    /// By name.
    let targets: [String: Target]

    init(_ text: String) {
        var targets: [String: Target] = [:]
        for layer in Self.sections(text) {
            for match in layer.text.matches(of: Self.targetCall) {
                let imports = (match.output.2 ?? "").matches(of: /"(\w+)"/).map { String($0.output.1) }
                let name = String(match.output.1)
                targets[name] = Target(name: name, layer: layer.layer, imports: imports)
            }
        }
        self.targets = targets
    }

    /// `runtime("Name", [...])` or `.target(name: "Name", dependencies: [...])`, on one or several lines.
    private static var targetCall: Regex<(Substring, Substring, Substring?)> {
        /(?:runtime|protocolTarget|service|capability|program|tests|\.\w*[tT]arget|\.systemLibrary)\(\s*(?:name:\s*)?"(\w+)"(?:\s*,\s*(?:dependencies:\s*)?\[([^\]]*)\])?/
    }

    /// The text below each heading that is the name of a layer.
    private static func sections(_ text: String) -> [(layer: Layer, text: String)] {
        var sections: [(layer: Layer, text: String)] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let content = line.drop { $0 == " " }
            if content.hasPrefix("// "), let layer = Layer(rawValue: String(content.dropFirst(3))) {
                sections.append((layer, ""))
            } else if !sections.isEmpty, !content.hasPrefix("//") {
                sections[sections.count - 1].text += "\(line)\n"
            }
        }
        return sections
    }
}
