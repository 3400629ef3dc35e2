internal import Pauses
internal import Postgres
internal import Service

extension LoopDatabase {
    /// Carries out changes of the pause state.
    ///
    /// - Parameter acknowledgements: one for the process.
    func pauseOperation(_ acknowledgements: AcknowledgementWaiter) -> PauseOperation {
        PauseOperation(pauses: control, jobs: jobs, workers: workers, acknowledgements: acknowledgements)
    }
}

extension AcknowledgementWaiter {
    /// The waiter of the process, on the loop of `database`.
    convenience init(_ settings: SessionSettings, on database: LoopDatabase) {
        self.init(
            settings.database, credentials: settings.source.credentials, workers: database.workers, on: database.loop)
    }
}
