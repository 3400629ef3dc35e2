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
                place(connection, serverLoop: accepted % serverLoops.count, upgrade)
                accepted += 1
                // A full backlog must not keep the connections of this loop waiting.
                if accepted % 32 == 0 { await Task.yield() }
            } catch .closed {
                return
            } catch {
                if !isFailing {
                    logger.error(
                        "cannot accept connections; trying again",
                        ["address": .text(listener.address), "error": .error(error)])
                }
                isFailing = true
                try? await serverLoops[0].loop.sleep(for: limits.acceptRetryDelay)
            }
        }
    }

    /// Hands a connection to a serverLoop, or turns it away.
    func place(_ connection: consuming Listener.Connection, serverLoop: Int, _ upgrade: StreamUpgrade?) {
        switch connections.enter() {
        case .admitted:
            let serverLoop = serverLoops[serverLoop]
            let handover = Handover(connection)
            serverLoop.loop.spawn { await self.serve(handover, on: serverLoop, upgrade) }
        case .refused:
            // A client of TLS could not read the refusal before the handshake, whose work is to be saved here.
            let handover = Handover(connection)
            serverLoops[0].loop.spawn { await self.refuse(handover, silently: upgrade != nil) }
        case .ignored:
            return
        }
    }

    private func serve(_ handover: Handover, on serverLoop: ServerLoop, _ upgrade: StreamUpgrade?) async {
        guard let socket = attach(handover, to: serverLoop) else { return connections.leave(nil) }
        let record = ConnectionRecord(socket, on: serverLoop.loop)
        connections.note(record)
        defer { connections.leave(record) }
        var stream: any ByteStream = socket
        if let upgrade {
            do {
                stream = try await upgrade(socket, .now().after(nanoseconds: deadlines.handshake))
                record.upgrade(to: stream)
            } catch {
                logger.debug("a handshake failed", ["peer": .text(socket.remoteAddress), "error": .error(error)])
                return socket.close()
            }
        }
        var connection = Connection(
            stream, of: self, on: serverLoop, record: record, remoteAddress: socket.remoteAddress)
        await connection.run()
    }

    private func refuse(_ handover: Handover, silently: Bool) async {
        defer { connections.leaveRefused() }
        guard let socket = attach(handover, to: serverLoops[0]) else { return }
        guard !silently else { return socket.close() }
        let record = ConnectionRecord(socket, on: serverLoops[0].loop)
        var connection = Connection(
            socket, of: self, on: serverLoops[0], record: record, remoteAddress: socket.remoteAddress)
        await connection.end(with: .unavailable("too many connections", retryAfterSeconds: 1))
    }

    private func attach(_ handover: Handover, to serverLoop: ServerLoop) -> Socket? {
        guard let connection = handover.take() else { return nil }
        do throws(SystemError) {
            return try connection.attach(to: serverLoop.loop)
        } catch {
            logger.error("cannot take a connection over", ["error": .error(error)])
            return nil
        }
    }
}

/// Carries a connection into the task that takes it over: a closure cannot give away what it has captured.
private final class Handover: Sendable {
    private let connection: Mutex<Listener.Connection?>

    init(_ connection: consuming Listener.Connection) {
        self.connection = Mutex(connection)
    }

    func take() -> Listener.Connection? {
        connection.withLock { $0.take() }
    }
}
