internal import HTTP
internal import Pools
internal import Telemetry

extension Endpoints {
    /// `PUT /api/pools/{name}`: in place of all that the pool was told before; it is made if there is none.
    func configurePool(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard PoolStore.isName(name) else {
            let accepted = "must be 1 to \(PoolLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -"
            throw Problem(.badRequest, "the path does not name a pool", errors: [.init(.parameter("name"), accepted)])
        }
        let input = try BodyReader.pool(request)
        let spec = PoolSpec(name: name, size: input.size, workloads: input.workloads, handler: input.handler)
        try await pools(context).configure(spec, updatedBy: input.updatedBy, reason: input.reason)
        var fields: LogFields = ["pool": .string(name), "workloads": .integer(input.workloads.count)]
        if let name = input.updatedBy { fields.set(.init("updated_by", .string(name))) }
        if let reason = input.reason { fields.set(.init("reason", .string(reason))) }
        context.logger.info("a pool was configured", fields)
        // Removed by somebody else in between.
        guard let pool = try await pools(context).find(name) else { throw Self.unknownPool }
        return .json(PoolDocument.pool(pool))
    }

    /// `DELETE /api/pools/{name}`: its workloads stop.
    func removePool(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard PoolStore.isName(name), try await pools(context).remove(name) else { throw Self.unknownPool }
        context.logger.info("a pool was removed", ["pool": .string(name)])
        return Response(.noContent)
    }
}
