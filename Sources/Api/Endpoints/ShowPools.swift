internal import HTTP
internal import Pools

extension Endpoints {
    /// `GET /api/pools`: every pool, by name.
    func listPools(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        return .json(PoolDocument.pools(try await pools(context).all()))
    }

    /// `GET /api/pools/{name}`.
    func showPool(_ request: Request, _ context: RequestContext) async throws -> Response {
        .json(PoolDocument.pool(try await pool(request, context)))
    }

    /// `GET /api/pools/{name}/assignments`: every workload, by name.
    func listAssignments(_ request: Request, _ context: RequestContext) async throws -> Response {
        let pool = try await pool(request, context)
        return .json(
            PoolDocument.assignments(try await pools(context).workloads(of: pool.spec.name), of: pool))
    }

    /// `GET /api/pools/{name}/config.yml`.
    func showPoolConfig(_ request: Request, _ context: RequestContext) async throws -> Response {
        let pool = try await pool(request, context)
        let lists = try await pools(context).lists(of: pool.spec.name)
        // RFC 9512.
        return Response(
            .ok, contentType: MediaType("application/yaml"), body: Array(PoolConfig.yaml(lists).utf8))
    }

    func pools(_ context: RequestContext) -> PoolStore {
        databases[context.loop].pools
    }

    /// The pool that the path names. What can name none is the name of no pool.
    private func pool(_ request: Request, _ context: RequestContext) async throws -> Pool {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard PoolStore.isName(name), let pool = try await pools(context).find(name) else { throw Self.unknownPool }
        return pool
    }

    static let unknownPool = Problem(.notFound, "there is no pool with this name")
}
