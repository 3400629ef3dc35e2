internal import HTTP
internal import Jobs
internal import Pools
internal import Postgres

extension Endpoints {
    /// Every path of the API. A test compares them with the OpenAPI document.
    func router(authorizer: RootKeyAuthorizer) -> Router {
        var router = Router(
            authorizer: { head, _ in try authorizer.authorize(head) },
            translateError: { error, method in
                (error as? PostgresError).flatMap { problem($0, isRead: method == .get) as? Problem }
            })
        let read = Route.Access.scope(Scope.readJobs)
        let write = Route.Access.scope(Scope.writeJobs)
        let control = Route.Access.scope(Scope.control)
        let oneJob = Route.Body.json(bytesMax: payloadBytesMax + Self.bytesBesidePayload)
        // An escaped character of a reason has six bytes.
        let actor = Route.Body.json(bytesMax: 8 * 1_024)
        let many = Route.Body.json(bytesMax: 8 * 1_024 + 64 * BulkChange.idsMax)
        // Names may be escaped too, though none needs it.
        let pool = Route.Body.json(
            bytesMax: 8 * 1_024 + (6 * PoolLimits.nameBytesMax + 16) * PoolLimits.workloadsMax)

        router.on(.post, "/api/jobs", access: write, body: oneJob, createJob)
        router.on(.post, "/api/jobs/batch", access: write, body: .json(bytesMax: JobLimits.bulkBytesMax), createJobs)
        router.on(.post, "/api/jobs/cancel", access: write, body: many, cancelJobs)
        router.on(.post, "/api/jobs/retry", access: write, body: many, retryJobs)
        router.on(.get, "/api/jobs", access: read, listJobs)
        router.on(.get, "/api/jobs/{id}", access: read, showJob)
        router.on(.post, "/api/jobs/{id}/cancel", access: write, body: actor, cancelJob)
        router.on(.post, "/api/jobs/{id}/retry", access: write, body: actor, retryJob)
        router.on(.post, "/api/jobs/{id}/run-now", access: write, body: actor, runJobNow)
        router.on(.get, "/api/jobs/{id}/events", access: read, listEvents)
        router.on(.get, "/api/jobs/{id}/why", access: read, explainWait)
        router.on(.get, "/api/queues", access: read, listQueues)
        router.on(.get, "/api/queues/{name}", access: read, showQueue)
        router.on(.put, "/api/queues/{name}", access: write, body: actor, configureQueue)
        router.on(.delete, "/api/queues/{name}", access: write, removeQueue)
        router.on(.get, "/api/workers", access: read, listWorkers)
        router.on(.post, "/api/worker/pause", access: control, body: actor, pauseWorkers)
        router.on(.post, "/api/worker/resume", access: control, body: actor, resumeWorkers)
        router.on(.get, "/api/worker/control-state", access: read, showControlState)
        router.on(.get, "/api/worker/control-history", access: read, showControlHistory)
        router.on(.post, "/api/queues/{name}/pause", access: control, body: actor, pauseQueue)
        router.on(.post, "/api/queues/{name}/resume", access: control, body: actor, resumeQueue)
        router.on(.get, "/api/pools", access: read, listPools)
        router.on(.get, "/api/pools/{name}", access: read, showPool)
        router.on(.put, "/api/pools/{name}", access: control, body: pool, configurePool)
        router.on(.delete, "/api/pools/{name}", access: control, removePool)
        router.on(.get, "/api/pools/{name}/assignments", access: read, listAssignments)
        router.on(.get, "/api/pools/{name}/config.yml", access: read, showPoolConfig)
        router.on(.get, "/openapi.json", access: .open, showOpenAPI)

        router.on(.get, "/health", access: .open, showHealth)
        router.on(.get, "/ready", access: .open, showReadiness)
        router.on(.get, "/metrics", access: .open, showMetrics)
        return router
    }
}
