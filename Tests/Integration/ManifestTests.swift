import EventLoop
import JSON
import TestKit
import Testing

/// The manifests are consistent. `make lint` validates their shape with the schemas of Kubernetes, and the rules of a
/// restricted cluster for pods with checkov.
@Suite struct ManifestTests {
    private func withManifests(_ body: (Manifests, Services) async throws -> Void) async throws {
        try await withServices { services in try await body(try await Manifests(services), services) }
    }

    @Test func `every pod runs as our user, and has a token only if it uses the API server`() async throws {
        try await withManifests { manifests, _ in
            #expect(manifests.containers.count > 10)
            for container in manifests.containers {
                let (pod, title) = (container.pod, container.title)
                #expect(pod["securityContext"]?["runAsNonRoot"] == true, "\(title)")
                let isOurs = container.program != nil
                #expect(!isOurs || pod["securityContext"]?["runAsUser"] == 10_001, "\(title)")
                // It has its own role.
                let asks = pod["serviceAccountName"] == "jobqueue-control-file"
                #expect(pod["automountServiceAccountToken"]?.bool == asks, "\(title)")
            }
        }
    }

    @Test func `every object is in the namespace, has labels, and refers to existing objects`() async throws {
        try await withManifests { manifests, _ in
            for manifest in manifests.all {
                let metadata = manifest.value["metadata"]
                #expect(manifest.kind == "Namespace" || metadata?["namespace"] == "jobqueue", "\(manifest.title)")
                #expect(metadata?["labels"]?["app.kubernetes.io/name"]?.string != nil, "\(manifest.title)")
                #expect(metadata?["labels"]?["app.kubernetes.io/part-of"] == "jobqueue", "\(manifest.title)")
                if manifest.file.hasPrefix("k8s/control/") {
                    #expect(metadata?["labels"]?["app"] == "jobqueue-control", "\(manifest.title)")
                }
                guard let template = manifest.podTemplate else { continue }
                let account = try #require(template["spec"]?["serviceAccountName"]?.string, "\(manifest.title)")
                _ = try manifests.named("ServiceAccount", account)
                if let selector = manifest.value["spec"]?["selector"]?["matchLabels"] {
                    expect(template["metadata"]?["labels"], has: selector, manifest.title)
                }
                for volume in template["spec"]?["volumes"]?.array ?? [] {
                    if let map = volume["configMap"], map["optional"] != true {
                        _ = try manifests.named("ConfigMap", map["name"]?.string ?? "")
                    }
                }
                let claims = manifest.value["spec"]?["volumeClaimTemplates"]?.array ?? []
                let names =
                    (template["spec"]?["volumes"]?.array ?? []).compactMap { $0["name"]?.string }
                    + claims.compactMap { $0["metadata"]?["name"]?.string }
                let mounted = (template["spec"]?["containers"]?.array ?? [])
                    .flatMap { $0["volumeMounts"]?.array ?? [] }.compactMap { $0["name"]?.string }
                #expect(Set(names) == Set(mounted), "\(manifest.title): volumes and their mounts")
            }
        }
    }

    @Test func `objects, Jobs and pods have the names and labels of the guide`() async throws {
        try await withManifests { manifests, _ in
            for manifest in manifests.all {
                guard let template = manifest.podTemplate else { continue }
                let labels = try #require(manifest.value["metadata"]?["labels"], "\(manifest.title)")
                expect(template["metadata"]?["labels"], has: labels, manifest.title)
                if let job = manifest.value["spec"]?["jobTemplate"] {
                    expect(job["metadata"]?["labels"], has: labels, manifest.title)
                }
                #expect(labels["app.kubernetes.io/component"]?.string != nil, "\(manifest.title)")
                if manifest.file.hasPrefix("k8s/watchdog/") {
                    #expect(labels["app"] == "ending-watchdog", "\(manifest.title)")
                }
            }
            func label(_ kind: String, _ name: String) throws -> String? {
                try manifests.named(kind, name)["metadata"]?["labels"]?["app.kubernetes.io/name"]?.string
            }
            for name in ["jobqueue-api", "jobqueue-worker", "jobqueue-reaper"] {
                #expect(try label("Deployment", name) == name)
            }
            #expect(try label("Service", "jobqueue-api") == "jobqueue-api")
            #expect(try label("StatefulSet", "postgres") == "postgres")
            #expect(try label("HorizontalPodAutoscaler", "jobqueue-worker-hpa") == "jobqueue-worker")
            let secret = try manifests.named("Secret", "jobqueue-secret-example")["stringData"]?.object ?? []
            #expect(Set(secret.map(\.name)) == ["DATABASE_URL", "API_SECRET_KEY", "POSTGRES_PASSWORD"])
        }
    }

    @Test func `secrets are optional, and your own ones win over the examples`() async throws {
        try await withManifests { manifests, _ in
            let examples = manifests.all.filter { $0.kind == "Secret" }.map(\.name)
            #expect(examples.count == 2 && examples.allSatisfy { $0.hasSuffix("-example") })
            for container in manifests.containers {
                for volume in container.pod["volumes"]?.array ?? [] {
                    #expect(volume["secret"] == nil, "\(container.title): a required secret")
                    let secrets = (volume["projected"]?["sources"]?.array ?? []).compactMap { $0["secret"] }
                    guard !secrets.isEmpty else { continue }
                    #expect(secrets.allSatisfy { $0["optional"] == true }, "\(container.title)")
                    let areExamples = secrets.map { $0["name"]?.string?.hasSuffix("-example") == true }
                    #expect(areExamples == [true] + areExamples.dropFirst().map { _ in false }, "\(container.title)")
                    // The API server refuses a path that two sources name.
                    let paths = secrets.flatMap { $0["items"]?.array ?? [] }.compactMap { $0["path"]?.string }
                    #expect(Set(paths).count == paths.count, "\(container.title)")
                }
            }
        }
    }

    @Test func `what is edited in the ConfigMap takes effect in every pod of the programs`() async throws {
        try await withManifests { manifests, _ in
            let data = try manifests.named("ConfigMap", "jobqueue-config")["data"]?.object ?? []
            let settings = Set(data.map(\.name))
            #expect(settings.count > 10)
            for container in manifests.containers where container.program != nil {
                let maps = (container.value["envFrom"]?.array ?? []).map { $0["configMapRef"]?["name"]?.string }
                #expect(maps == ["jobqueue-config"], "\(container.title)")
                for variable in container.ownVariables {
                    let name = variable["name"]?.string ?? ""
                    let source = variable["valueFrom"]?["configMapKeyRef"]?["name"]
                    #expect(!settings.contains(name) || source == "jobqueue-config", "\(container.title): \(name)")
                }
            }
        }
    }

    @Test func `services, budgets and autoscalers select their pods`() async throws {
        try await withManifests { manifests, _ in
            let pods = manifests.all.compactMap { $0.podTemplate?["metadata"]?["labels"] }
            for manifest in manifests.all {
                switch manifest.kind {
                case "Service", "PodDisruptionBudget":
                    let selector = manifest.value["spec"]?["selector"]
                    let wanted = try #require(selector?["matchLabels"] ?? selector, "\(manifest.title)")
                    #expect(pods.contains { Self.labels($0, have: wanted) }, "\(manifest.title)")
                case "HorizontalPodAutoscaler", "ScaledObject":
                    let name = manifest.value["spec"]?["scaleTargetRef"]?["name"]?.string ?? ""
                    let target = try manifests.named("Deployment", name)
                    // A fixed number would undo the decision of the autoscaler with each apply.
                    #expect(target["spec"]?["replicas"] == nil, "\(manifest.title)")
                case "ServiceMonitor":
                    let wanted = try #require(manifest.value["spec"]?["selector"]?["matchLabels"], "\(manifest.title)")
                    let services = manifests.all.filter { $0.kind == "Service" }
                        .compactMap { $0.value["metadata"]?["labels"] }.filter { Self.labels($0, have: wanted) }
                    #expect(services.count == 1, "\(manifest.title)")
                    // Rules and dashboard select job="jobqueue".
                    let label = manifest.value["spec"]?["jobLabel"]?.string ?? ""
                    #expect(services.first?[label] == "jobqueue", "\(manifest.title)")
                default: break
                }
            }
        }
    }

    @Test func `each Kustomization lists every file of its folder`() async throws {
        try await withManifests { manifests, _ in
            for folder in ["k8s", "k8s/control", "k8s/debug", "k8s/ingress", "k8s/watchdog", "k8s/pools", "k8s/keda"] {
                let file = folder + "/Kustomization"
                let kustomization = try #require(manifests.kustomizations.first { $0.file == file }, "\(file)")
                let named = Set(kustomization.value["resources"]?.array?.compactMap(\.string) ?? [])
                let files = Set(
                    manifests.all.map(\.file)
                        .filter { $0.hasPrefix(folder + "/") && !$0.dropFirst(folder.count + 1).contains("/") }
                        .map { String($0.dropFirst(folder.count + 1)) })
                // Examples, and files of the older way, are applied by name.
                let byName: Set = ["control-jobs.yaml", "cronjobs-example.yaml", "worker-cronjobs.yaml"]
                #expect(named == (folder == "k8s/control" ? files.subtracting(byName) : files), "\(folder)")
            }
        }
    }

    @Test func `the termination grace of pods covers the shutdown of their programs`() async throws {
        try await withManifests { manifests, _ in
            func grace(_ kind: String, _ name: String) throws -> Int {
                let pod = try manifests.named(kind, name)["spec"]?["template"]?["spec"]
                return try #require(pod?["terminationGracePeriodSeconds"]?.integer)
            }
            func setting(_ name: String) throws -> Int {
                let map = try manifests.named("ConfigMap", "jobqueue-config")
                return try #require(map["data"]?[name]?.string.flatMap { Int($0) })
            }
            let worker = try setting("WORKER_SHUTDOWN_GRACE_SECONDS")
            #expect(try grace("Deployment", "jobqueue-worker") >= worker + 10)
            #expect(try grace("StatefulSet", "swarm-worker") >= worker + 10)
            let api = try setting("API_DRAIN_TIMEOUT_SECONDS")
            #expect(try grace("Deployment", "jobqueue-api") >= api + 5)
            #expect(try setting("API_DRAIN_DELAY_SECONDS") > 0)
            #expect(try grace("Deployment", "jobqueue-reaper") >= 10)
        }
    }

    @Test func `all pods together need fewer connections than the trial PostgreSQL allows`() async throws {
        try await withManifests { manifests, _ in
            func pool(_ component: String) throws -> Int {
                let container = try #require(
                    manifests.containers.first {
                        $0.manifest.kind == "Deployment" && $0.manifest.name == "jobqueue-\(component)"
                    })
                let variables = try manifests.environment(container)
                return try #require(variables["DATABASE_POOL_SIZE"].flatMap { Int($0) })
            }
            func most(_ component: String) throws -> Int {
                let scaler = try manifests.named("HorizontalPodAutoscaler", "jobqueue-\(component)-hpa")
                return try #require(scaler["spec"]?["maxReplicas"]?.integer)
            }
            // A worker has one more connection for notifications, an api one for reports. During a rollout the old pods
            // may still run.
            let workers = try most("worker") * (pool("worker") + 1)
            let open = try 2 * (most("api") * (pool("api") + 1) + workers + pool("reaper"))
            let server = try #require(
                manifests.containers.first { $0.manifest.name == "postgres" && !$0.arguments.isEmpty })
            let limit = try #require(
                server.arguments.first { $0.hasPrefix("max_connections=") }.flatMap { Int($0.dropFirst(16)) })
            #expect(open + 10 <= limit, "\(open) connections")
        }
    }

    private func expect(_ labels: JSONValue?, has wanted: JSONValue, _ title: String) {
        #expect(Self.labels(labels ?? .null, have: wanted), "\(title): \(wanted.text)")
    }

    private static func labels(_ labels: JSONValue, have wanted: JSONValue) -> Bool {
        (wanted.object ?? []).allSatisfy { labels[$0.name] == $0.value }
    }
}
