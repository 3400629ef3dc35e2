internal import HTTP
internal import JSON
internal import Telemetry

extension Endpoints {
    /// `GET /health`: the process and its loops respond. It checks nothing else, so that an outage of PostgreSQL does
    /// not make an orchestrator kill a process that would recover by itself.
    func showHealth(_ request: Request, _ context: RequestContext) async throws -> Response {
        .json(Array(#"{"status":"ok"}"#.utf8))
    }

    /// `GET /ready`.
    func showReadiness(_ request: Request, _ context: RequestContext) async throws -> Response {
        switch await readiness.state() {
        case .unready(let reason):
            throw Problem.unavailable(reason, retryAfterSeconds: 1)
        case .ready(let schemaVersion, let allIsPaused):
            var writer = JSONWriter(capacity: 64)
            writer.beginObject()
            writer.member("status", "ready")
            writer.member("schema_version", schemaVersion)
            writer.member("paused", allIsPaused)
            writer.endObject()
            return .json(writer.finish())
        }
    }

    /// `GET /metrics`.
    func showMetrics(_ request: Request, _ context: RequestContext) async throws -> Response {
        Response(.ok, contentType: MediaType(PrometheusText.contentType), body: await metricsPage.render())
    }

    /// `GET /openapi.json`.
    func showOpenAPI(_ request: Request, _ context: RequestContext) async throws -> Response {
        .json(OpenAPIDocument.bytes)
    }
}
