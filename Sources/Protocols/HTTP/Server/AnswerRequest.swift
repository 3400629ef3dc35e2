internal import EventLoop
internal import Telemetry

extension Connection {
    /// How far the body of a request has been read.
    private enum BodyState {
        case unread
        case read
        /// Reading failed, so the start of the next message is unknown.
        case broken
    }

    /// Answers one request. Returns whether another may follow on the connection.
    mutating func answer(_ head: RequestHead, _ id: RequestID) async throws(StreamError) -> Bool {
        defer { server.budget.release(&reservation) }
        let started = serverLoop.loop.now
        var body = head.hasBody ? BodyState.unread : .read
        let response: Response
        var route: Int?
        switch server.router.match(head) {
        case .route(let index, let parameters):
            route = index
            response = try await respond(server.router.routes[index], head, parameters, id, &body)
        case .options(let methods):
            response = Self.allow(methods)
        case .methodNotAllowed(let methods):
            let accepted = methods.allowValue
            let problem = Problem(.methodNotAllowed, "this path accepts \(accepted)").with(.allow, accepted)
            response = render(problem)
        case .notFound:
            response = render(Problem(.notFound, "no such path"))
        }
        let mustDiscard = body == .unread
        var keepsAlive = head.keepsAlive && body != .broken && !server.isDraining
        if mustDiscard, !mayDiscardBody(head) { keepsAlive = false }
        let framing = ResponseWriter.Framing(
            id: id, version: head.version, omitsBody: head.method == .head, keepsAlive: keepsAlive)
        try await write(response, framing)
        report(response.status, head, id, route: route, since: started)
        if keepsAlive, mustDiscard { keepsAlive = await discardBody(head) }
        return keepsAlive
    }

    private mutating func respond(
        _ route: Route, _ head: RequestHead, _ parameters: PathParameters, _ id: RequestID, _ body: inout BodyState
    ) async throws(StreamError) -> Response {
        do {
            var caller: Caller?
            if case .scope(let scope) = route.access { caller = try await admit(head, scope) }
            let bytesMax = try checkBody(head, of: route)
            var content: [UInt8] = []
            if head.hasBody {
                if let buffered = takeBufferedBody(head, bytesMax: bytesMax) {
                    content = buffered
                } else {
                    body = .broken
                    content = try await readBody(head, bytesMax: bytesMax)
                }
                body = .read
            }
            let context = RequestContext(
                id: id, route: route.pattern, loop: serverLoop.loop, remoteAddress: remoteAddress, caller: caller,
                baseLogger: server.logger)
            return try await route.handler(Request(head: head, body: content, parameters: parameters), context)
        } catch let failure as BodyFailure {
            switch failure {
            case .problem(let problem): return render(problem)
            case .stream(let error): throw error
            }
        } catch {
            return render(error, id, route)
        }
    }

    private func admit(_ head: RequestHead, _ scope: String) async throws -> Caller {
        guard let authorizer = server.router.authorizer else {
            preconditionFailure("a route with a scope was registered without an authorizer")
        }
        return try await authorizer(head, scope)
    }

    /// Rejects a body that the route does not accept, before it is read. Returns its maximum length in bytes.
    private func checkBody(_ head: RequestHead, of route: Route) throws(Problem) -> Int {
        guard head.hasBody else { return 0 }
        switch route.body {
        case .none:
            throw Problem(.badRequest, "this operation accepts no body")
        case .json(let bytesMax):
            guard head.fields.declareJSON else {
                throw Problem(
                    .unsupportedMediaType, "the body must be sent with Content-Type: application/json, not compressed")
            }
            let bytesMax = bytesMax ?? server.limits.bodyBytesMax
            if let length = head.contentLength, length > bytesMax { throw Self.tooLarge(bytesMax) }
            return bytesMax
        }
    }

    // MARK: Errors

    /// The response to an error that a handler threw.
    private func render(_ error: any Error, _ id: RequestID, _ route: Route) -> Response {
        if let problem = error as? Problem ?? server.router.translateError(error, route.method) {
            return render(problem)
        }
        server.logger.error(
            "request failed", ["request_id": .text(id), "route": .string(route.pattern), "error": .error(error)])
        return render(Problem(.internalServerError, "internal error; see the server's log for this request id"))
    }

    func render(_ problem: Problem) -> Response {
        do throws(InvalidField) {
            return try problem.response()
        } catch {
            server.logger.error("a problem has an invalid field", ["error": .error(error)])
            return Response(.internalServerError)
        }
    }

    private static func allow(_ methods: MethodSet) -> Response {
        var response = Response(.noContent)
        do throws(InvalidField) {
            try response.add(.allow, methods.allowValue)
        } catch {
            preconditionFailure("method names are tokens")
        }
        return response
    }
}
