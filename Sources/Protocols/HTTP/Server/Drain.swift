internal import EventLoop
internal import Synchronization
internal import Telemetry
public import Values

extension Server {
    /// The result of a drain.
    public struct DrainReport: Sendable, Equatable {
        /// Number of connections that were still open at the deadline and were closed by force.
        public let cut: Int
    }

    /// Stops the server gracefully: no accepted connection is reset, and every request that arrived is answered.
    ///
    /// 1. `isReady` becomes false. The server works as before for `readinessDelay`, so that load balancers notice
    ///    before a connection is refused.
    /// 2. The connections in the backlog are accepted, then the listeners close. From now on each response carries
    ///    `Connection: close` and is the last of its connection.
    /// 3. An idle connection may send one more request within `drainIdleTimeout`. Then the server closes its sending
    ///    side, and after `lingerTimeout` the connection.
    /// 4. At the deadline, the remaining connections are closed by force.
    ///
    /// Returns when all connections are closed. Durations are measured on the monotonic clock.
    public func drain(deadline: MonotonicInstant, readinessDelay: Duration = .zero) async -> DrainReport {
        await withCheckedContinuation { continuation in
            serverLoops[0].loop.spawn {
                continuation.resume(returning: await self.drainOnLoop(deadline, readinessDelay))
            }
        }
    }

    private func drainOnLoop(_ deadline: MonotonicInstant, _ readinessDelay: Duration) async -> DrainReport {
        let loop = serverLoops[0].loop
        phase.store(.unready, ordering: .relaxed)
        if readinessDelay > .zero { try? await loop.sleep(until: min(.now() + readinessDelay, deadline)) }

        phase.store(.draining, ordering: .relaxed)
        closeListeners()
        logger.info("draining", ["connections": .integer(connections.count)])

        let empty = WakeSignal(on: loop)
        connections.onEmpty { loop.execute { empty.wake() } }
        let idleEnd = min(.now() + limits.drainIdleTimeout, deadline)
        if await isEmpty(by: idleEnd, empty) { return DrainReport(cut: 0) }
        connections.onEach { $0.halfCloseIfIdle() }
        let lingerEnd = min(.now() + limits.lingerTimeout, deadline)
        if await isEmpty(by: lingerEnd, empty) { return DrainReport(cut: 0) }
        connections.onEach { $0.closeIfHalfClosed() }
        if await isEmpty(by: deadline, empty) { return DrainReport(cut: 0) }

        let cut = connections.count
        logger.warning("drain deadline reached; closing connections by force", ["connections": .integer(cut)])
        connections.onEach { $0.close() }
        return DrainReport(cut: cut)
    }

    private func isEmpty(by deadline: MonotonicInstant, _ empty: WakeSignal) async -> Bool {
        while connections.count > 0 {
            guard await empty.wait(until: deadline) else { return connections.count == 0 }
        }
        return true
    }

    private func closeListeners() {
        let closing = openListeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for open in closing {
            open.listener.close { connection in dispatch(connection, toLoop: 0, open.upgrade) }
        }
    }
}
