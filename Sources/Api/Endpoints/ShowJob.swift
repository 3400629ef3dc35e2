internal import HTTP
internal import Jobs

extension Endpoints {
    /// `GET /api/jobs/{id}`.
    func showJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        guard let job = try await jobs(context).find(try jobID(request)) else { throw Self.unknownJob }
        return Self.answer(job)
    }
}
