import EventLoop
import JSON
import TestKit
import Testing

/// One document of a manifest.
struct Manifest: Sendable {
    /// The path from the root of the repository.
    let file: String
    let value: JSONValue

    var kind: String { value["kind"]?.string ?? "" }
    var name: String { value["metadata"]?["name"]?.string ?? "" }

    /// The template of its pods; nil if it has none.
    var podTemplate: JSONValue? {
        switch kind {
        case "Deployment", "StatefulSet", "Job": value["spec"]?["template"]
        case "CronJob": value["spec"]?["jobTemplate"]?["spec"]?["template"]
        case "Pod": value
        default: nil
        }
    }

    /// For example `k8s/api.yaml: Deployment jobqueue-api`.
    var title: String { "\(file): \(kind) \(name)" }
}

/// A container of a manifest.
struct ManifestContainer: Sendable {
    let manifest: Manifest
    let pod: JSONValue
    let value: JSONValue

    var title: String { "\(manifest.title), container \(value["name"]?.string ?? "")" }

    /// `jobqueue-api` for the image `jobqueue-api:0.1.0`; nil for images of other projects.
    var program: String? {
        let image = value["image"]?.string ?? ""
        return image.hasPrefix("jobqueue-") ? String(image.prefix { $0 != ":" }) : nil
    }

    var version: String? { value["image"]?.string?.split(separator: ":").last.map(String.init) }
    var arguments: [String] { value["args"]?.array?.compactMap(\.string) ?? [] }

    /// The variables that the container sets itself, apart from whole ConfigMaps.
    var ownVariables: [JSONValue] { value["env"]?.array ?? [] }

    /// The keys of ConfigMaps that it takes for variables of another name.
    var configMapKeys: [String] {
        ownVariables.compactMap { $0["valueFrom"]?["configMapKeyRef"]?["key"]?.string }
    }
}

/// All files of `k8s` that can be applied unchanged, and the Kustomizations that apply them.
struct Manifests: Sendable {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        .joined(separator: "/")

    /// The objects of the manifests.
    let all: [Manifest]
    let kustomizations: [Manifest]

    /// Leaves out patches, which are lists, links, and secrets that are not in the repository.
    private static let reader = """
        import glob, json, os, yaml
        for pattern in ["k8s/*.yaml", "k8s/*/*.yaml", "k8s/Kustomization", "k8s/*/Kustomization"]:
            for path in sorted(glob.glob(pattern)):
                if os.path.islink(path) or path == "k8s/secret-values.yaml": continue
                for document in yaml.safe_load_all(open(path, encoding="utf-8")):
                    if isinstance(document, dict): print(json.dumps([path, document]))
        """

    /// Reads them with Debian's python3-yaml: the project itself parses only JSON.
    init(_ services: Services) async throws {
        let reading = try await services.start(
            "/usr/bin/python3", ["-c", Self.reader], workingDirectory: Self.root)
        try #require(try await reading.waitForExit(within: .seconds(30)) == .code(0), "\(reading.lines)")
        let documents = try reading.lines.map { line in
            let pair = try JSONValue(parsing: line)
            return Manifest(file: pair[0]?.string ?? "", value: pair[1] ?? .null)
        }
        kustomizations = documents.filter { $0.file.hasSuffix("/Kustomization") }
        all = documents.filter { !$0.file.hasSuffix("/Kustomization") }
        try #require(all.count > 40)
    }

    func named(_ kind: String, _ name: String) throws -> JSONValue {
        try #require(all.first { $0.kind == kind && $0.name == name }?.value, "there is no \(kind) \(name)")
    }

    var containers: [ManifestContainer] {
        all.flatMap { manifest -> [ManifestContainer] in
            guard let pod = manifest.podTemplate?["spec"] else { return [] }
            let containers = (pod["initContainers"]?.array ?? []) + (pod["containers"]?.array ?? [])
            return containers.map { ManifestContainer(manifest: manifest, pod: pod, value: $0) }
        }
    }

    /// The variables of a container, as the kubelet would set them from the files of `k8s`.
    func environment(_ container: ManifestContainer) throws -> [String: String] {
        var variables: [String: String] = [:]
        for source in container.value["envFrom"]?.array ?? [] {
            let name = try #require(source["configMapRef"]?["name"]?.string, "\(container.title)")
            for member in try named("ConfigMap", name)["data"]?.object ?? [] {
                variables[member.name] = member.value.string
            }
        }
        for variable in container.ownVariables {
            guard let name = variable["name"]?.string else { continue }
            if let reference = variable["valueFrom"]?["configMapKeyRef"] {
                let map = try named("ConfigMap", reference["name"]?.string ?? "")
                // Without the key, the variable of the whole ConfigMap stays.
                if let value = map["data"]?[reference["key"]?.string ?? ""]?.string { variables[name] = value }
            } else {
                variables[name] = variable["value"]?.string ?? ""
            }
        }
        return variables
    }

    /// The files of `/etc/jobqueue/secrets` in a container, with the example secrets.
    func secretFiles(_ container: ManifestContainer) throws -> [String: String] {
        var files: [String: String] = [:]
        for volume in container.pod["volumes"]?.array ?? [] where volume["name"] == "secrets" {
            for source in volume["projected"]?["sources"]?.array ?? [] {
                let name = source["secret"]?["name"]?.string ?? ""
                guard name.hasSuffix("-example") else { continue }
                for member in try named("Secret", name)["stringData"]?.object ?? [] {
                    files[member.name] = member.value.string
                }
            }
        }
        return files
    }
}
