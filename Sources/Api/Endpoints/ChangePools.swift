internal import HTTP
internal import JSON
internal import Pools
internal import Telemetry

extension Endpoints {
    /// `PUT /api/pools/{name}`: replaces the configuration of the pool, or creates it.
    func configurePool(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try Self.acceptedName(request, of: "pool")
        let input = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try PoolRequest.read(&input, name: name)
        }
        guard try await pools(context).configure(input.spec, updatedBy: input.updatedBy, reason: input.reason) else {
            throw Self.tooManyPools
        }
        var fields: LogFields = ["pool": .string(name), "workloads": .integer(input.spec.workloads.count)]
        if let name = input.updatedBy { fields.set(.init("updated_by", .string(name))) }
        if let reason = input.reason { fields.set(.init("reason", .string(reason))) }
        context.logger.info("a pool was configured", fields)
        // Another request may have removed it meanwhile.
        guard let pool = try await pools(context).find(name) else { throw Self.unknownPool }
        return .json(JSONWriter.text { pool.write(to: &$0) })
    }

    private static let tooManyPools = Problem(
        .conflict, "there are \(PoolLimits.poolsMax) pools, the maximum; remove one first")

    /// `DELETE /api/pools/{name}`: its workloads stop.
    func removePool(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard TextRule.name.accepts(name), try await pools(context).remove(name) else { throw Self.unknownPool }
        context.logger.info("a pool was removed", ["pool": .string(name)])
        return Response(.noContent)
    }
}
