internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import Values

extension Server {
    /// Accepts until the listener is closed.
    func accept(from listener: Listener, upgrade: StreamUpgrade?) async {
        var isFailing = false
        var accepted = 0
        while true {
            do throws(StreamError) {
                let connection = try await listener.accept(on: serverLoops[0].loop)
                if isFailing { logger.info("accepting connections again", ["address": .text(listener.address)]) }
                isFailing = false
                dispatch(connection, toLoop: accepted % serverLoops.count, upgrade)
                accepted += 1
                // A long backlog must not starve the connections of this loop.
                if accepted % 32 == 0 { await Task.yield() }
            } catch .closed {
                return
            } catch {
                if !isFailing {
                    logger.error(
                        "cannot accept connections; retrying",
                        ["address": .text(listener.address), "error": .error(error)])
                }
                isFailing = true
                try? await serverLoops[0].loop.sleep(for: limits.acceptRetryDelay)
            }
        }
    }

    /// Starts to serve a connection on the server loop with this index, or refuses it if the server is full.
    func dispatch(_ connection: consuming Listener.Connection, toLoop index: Int, _ upgrade: StreamUpgrade?) {
        switch connections.enter() {
        case .admitted:
            let serverLoop = serverLoops[index]
            let transfer = ConnectionTransfer(connection)
            serverLoop.loop.spawn { await self.serve(transfer, on: serverLoop, upgrade) }
        case .refused:
            // A TLS client could read the 503 only after a handshake, and a full server does not spend that work.
            let transfer = ConnectionTransfer(connection)
            serverLoops[0].loop.spawn { await self.refuse(transfer, silently: upgrade != nil) }
        case .ignored:
            return
        }
    }

    private func serve(_ transfer: ConnectionTransfer, on serverLoop: ServerLoop, _ upgrade: StreamUpgrade?) async {
        guard let socket = attach(transfer, to: serverLoop) else { return connections.leave(nil) }
        let record = ConnectionRecord(socket, on: serverLoop.loop)
        connections.register(record)
        defer { connections.leave(record) }
        var stream: any ByteStream = socket
        if let upgrade {
            do {
                stream = try await upgrade(socket, .now().after(nanoseconds: deadlines.handshake))
                record.upgrade(to: stream)
            } catch {
                logger.debug("handshake failed", ["peer": .text(socket.remoteAddress), "error": .error(error)])
                return socket.close()
            }
        }
        var connection = Connection(
            stream, of: self, on: serverLoop, record: record, remoteAddress: socket.remoteAddress)
        await connection.run()
    }

    private func refuse(_ transfer: ConnectionTransfer, silently: Bool) async {
        defer { connections.leaveRefused() }
        guard let socket = attach(transfer, to: serverLoops[0]) else { return }
        guard !silently else { return socket.close() }
        let record = ConnectionRecord(socket, on: serverLoops[0].loop)
        var connection = Connection(
            socket, of: self, on: serverLoops[0], record: record, remoteAddress: socket.remoteAddress)
        await connection.reject(with: .unavailable("too many connections", retryAfterSeconds: 1))
    }

    private func attach(_ transfer: ConnectionTransfer, to serverLoop: ServerLoop) -> Socket? {
        guard let connection = transfer.take() else { return nil }
        do throws(SystemError) {
            return try connection.attach(to: serverLoop.loop)
        } catch {
            logger.error("cannot register a connection with its event loop", ["error": .error(error)])
            return nil
        }
    }
}

/// Moves a connection into the task that serves it: a closure cannot consume a captured noncopyable value.
private final class ConnectionTransfer: Sendable {
    private let connection: Mutex<Listener.Connection?>

    init(_ connection: consuming Listener.Connection) {
        self.connection = Mutex(connection)
    }

    func take() -> Listener.Connection? {
        connection.withLock { $0.take() }
    }
}
