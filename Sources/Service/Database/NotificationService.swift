public import Postgres
internal import Telemetry

/// Listens for notifications. It comes last in the list, after the services that it wakes.
///
/// Notifications are only hints: the services also poll the tables.
public final class NotificationService: ProcessService {
    public let name = "notifications"
    private let listener: NotificationListener

    /// - Parameters:
    ///   - channels: at least one.
    ///   - notified: a notification has come.
    ///   - listening: it listens now, for the first time or again: notifications may have been missed.
    public init(
        _ settings: SessionSettings, channels: [String], in process: ProcessContext,
        notified: @escaping @Sendable (Notification) -> Void, listening: @escaping @Sendable () -> Void
    ) {
        var database = settings.database
        database.applicationName += " listening"
        let logger = process.logger
        listener = NotificationListener(
            database, channels: channels, on: process.loop, credentials: settings.source.credentials
        ) { event in
            switch event {
            case .notification(let notification): notified(notification)
            case .listening: listening()
            case .interrupted(let reason):
                logger.warning("notifications are interrupted; polling continues", ["reason": .string(reason)])
            }
        }
    }

    public func start() async {
        listener.start()
    }

    public func stop() async {
        listener.close()
    }
}
