internal import EventLoop
internal import Synchronization
internal import Telemetry
public import Values

extension Server {
    /// What a drain came to.
    public struct DrainReport: Sendable, Equatable {
        /// Connections that were still open at the deadline, and were cut.
        public let cut: Int
    }

    /// Ends the service without breaking a promise: nobody who was accepted is reset, and what was asked is answered.
    ///
    /// 1. `isReady` turns false. For `readinessDelay` everything else goes on, so that load balancers hear of it
    ///    before a connection is turned away.
    /// 2. What waits in the backlog is accepted, then the listeners close. Each answer now says `Connection: close`
    ///    and is the last of its connection.
    /// 3. A connection that waits for a request may bring one for `drainIdleTimeout` more: a client that is about to
    ///    send is answered. After that, its end is announced with a half-close.
    /// 4. At the deadline every connection that is left is cut.
    ///
    /// Returns when all connections are closed.
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

        let emptied = WakeSignal(on: loop)
        connections.whenEmpty { loop.execute { emptied.wake() } }
        let dismissal = min(.now() + limits.drainIdleTimeout, deadline)
        if await isEmpty(by: dismissal, emptied) { return DrainReport(cut: 0) }
        connections.onEach { $0.dismissIfWaiting() }
        let farewell = min(.now() + limits.lingerTimeout, deadline)
        if await isEmpty(by: farewell, emptied) { return DrainReport(cut: 0) }
        connections.onEach { $0.closeIfDismissed() }
        if await isEmpty(by: deadline, emptied) { return DrainReport(cut: 0) }

        let cut = connections.count
        logger.warning("cutting connections at the deadline", ["connections": .integer(cut)])
        connections.onEach { $0.close() }
        return DrainReport(cut: cut)
    }

    private func isEmpty(by deadline: MonotonicInstant, _ emptied: WakeSignal) async -> Bool {
        while connections.count > 0 {
            guard await emptied.wait(until: deadline) else { return connections.count == 0 }
        }
        return true
    }

    private func closeListeners() {
        let closing = openListeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for open in closing {
            open.listener.close { connection in place(connection, serverLoop: 0, open.upgrade) }
        }
    }
}
