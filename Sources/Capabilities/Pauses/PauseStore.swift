public import Postgres

/// Pausing and resuming what workers take: every statement on control, one file a verb.
///
/// The truth is in PostgreSQL and nowhere else. The lease statements look at it themselves, so a pause holds whatever a
/// worker knows; that workers are told, obey and say so is for those who wait for it.
public struct PauseStore: Sendable {
    let pool: ConnectionPool

    /// - Parameter pool: with the profile `.general`.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// What is told when something was changed. The payload is the version.
    public static func channel(schema: String) -> String { "\(schema)_pause_state" }
}
