internal import EventLoop
internal import Service
internal import Synchronization
internal import Telemetry
internal import Values

/// The drain of the jobs that this worker holds, after the lease loop has stopped: unstarted jobs are released, running
/// ones may end within the grace and are asked to stop after it, and all results are written. Leases are renewed
/// meanwhile. At the end other workers are notified of what they may start now.
final class RunningJobs: ProcessService {
    let name = "jobs"
    private let runner: AttemptRunner
    private let handoff: SlotHandoff
    private let loop: Loop
    private let logger: Logger
    private let graceEnd = Mutex(MonotonicInstant.distantFuture)
    /// A second signal ends the grace.
    private let hurried: WakeSignal

    init(runner: AttemptRunner, handoff: SlotHandoff, in process: ProcessContext) {
        self.runner = runner
        self.handoff = handoff
        loop = process.loop
        logger = process.logger
        hurried = WakeSignal(on: loop)
    }

    func drain(until graceEnd: MonotonicInstant) {
        self.graceEnd.withLock { $0 = graceEnd }
        logger.info("nothing more is leased", ["running": .integer(runner.runningCount)])
    }

    func hurry(until graceEnd: MonotonicInstant) {
        hurried.wake()
    }

    func stop() async {
        runner.drain()
        let graceEnd = graceEnd.withLock { $0 }
        let grace = loop.spawn { [runner, hurried] in
            await hurried.waitUnlessCancelled(until: graceEnd)
            runner.stopRunning()
        }
        while !runner.isIdle, await runner.progress.waitUnlessCancelled() {}
        if !runner.isIdle {
            logger.error("stopping with jobs whose result could not be written: their leases will expire")
        }
        await handoff.drain()
        grace.cancel()
        await grace.value
    }
}
