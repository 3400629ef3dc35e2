internal import HTTP
internal import JSON
internal import Pools

extension Endpoints {
    /// `GET /api/pools`: every pool, by name.
    func listPools(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let pools = try await pools(context).all()
        return .json(
            JSONWriter.text(capacity: 64 + 1_024 * pools.count) { writer in
                writer.beginObject()
                writer.array("pools", pools) { $1.write(to: &$0) }
                writer.endObject()
            })
    }

    /// `GET /api/pools/{name}`.
    func showPool(_ request: Request, _ context: RequestContext) async throws -> Response {
        let pool = try await pool(request, context)
        return .json(JSONWriter.text { pool.write(to: &$0) })
    }

    /// `GET /api/pools/{name}/assignments`: every workload, by name.
    func listAssignments(_ request: Request, _ context: RequestContext) async throws -> Response {
        let pool = try await pool(request, context)
        let workloads = try await pools(context).workloads(of: pool.spec.name)
        return .json(
            JSONWriter.text(capacity: 128 + 384 * workloads.count) { writer in
                writer.beginObject()
                writer.member("pool", pool.spec.name)
                writer.member("version", pool.version)
                writer.member("complete", pool.isComplete)
                writer.array("assignments", workloads) { $1.write(to: &$0) }
                writer.endObject()
            })
    }

    /// `GET /api/pools/{name}/config.yml`.
    func showPoolConfig(_ request: Request, _ context: RequestContext) async throws -> Response {
        let pool = try await pool(request, context)
        let lists = try await pools(context).lists(of: pool.spec.name)
        // The media type is that of RFC 9512.
        return Response(
            .ok, contentType: MediaType("application/yaml"), body: Array(PoolConfig.yaml(lists).utf8))
    }

    func pools(_ context: RequestContext) -> PoolStore {
        databases[context.loop].pools
    }

    /// The pool that the path names. A name that no pool can have returns 404.
    private func pool(_ request: Request, _ context: RequestContext) async throws -> Pool {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard TextRule.name.accepts(name), let pool = try await pools(context).find(name) else {
            throw Self.unknownPool
        }
        return pool
    }

    static let unknownPool = Problem(.notFound, "there is no pool with this name")
}
