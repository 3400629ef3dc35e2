import Configuration
import EventLoop
import Pools
import Testing

@testable import Worker

@Suite struct PoolSettingsTests {
    private func read(
        _ variables: [String: String], host: String = "swarm-worker-3"
    ) -> (PoolSettings?, [ConfigurationProblem]) {
        var reader = SettingsReader(environment: ProcessEnvironment(variables))
        let settings = PoolSettings(reading: &reader, host: host)
        return (settings, reader.problems)
    }

    @Test(
        arguments: [
            ("swarm-worker-3", 3), ("swarm-worker-12.swarm.jobs.svc.cluster.local", 12), ("a-0", 0), ("a-999", 999),
            ("a-1000", nil), ("worker", nil), ("a-", nil), ("a-7b", nil), ("a--1", 1), ("worker-5d4f7c-24567", nil),
            ("a-+5", nil),
        ] as [(String, Int32?)])
    func `the ordinal is the number at the end of the host name`(host: String, ordinal: Int32?) {
        #expect(PoolSettings.ordinal(ofHost: host) == ordinal)
    }

    @Test func `a worker with POOL_NAME is a member`() throws {
        #expect(read([:]).0 == nil && read([:]).1.isEmpty)
        let (settings, problems) = read(["POOL_NAME": "swarm"])
        #expect(problems.isEmpty)
        let member = try #require(settings)
        #expect(member.pool == "swarm" && member.ordinal == 3 && member.memberName == "swarm-worker-3")
        #expect(member.leaseDuration == .seconds(30) && member.pollInterval == .seconds(5) && member.configPath == nil)
    }

    @Test func `POOL_ORDINAL overrides the host name, and names the member`() throws {
        let member = try #require(read(["POOL_NAME": "swarm", "POOL_ORDINAL": "5"]).0)
        #expect(member.ordinal == 5 && member.memberName == "swarm-5")
        let other = try #require(read(["POOL_NAME": "swarm", "POOL_ORDINAL": "3"], host: "box-3.example").0)
        #expect(other.memberName == "box-3")
    }

    @Test(arguments: [
        (["POOL_NAME": "a b"], "POOL_NAME"), (["POOL_NAME": "swarm", "POOL_ORDINAL": "1000"], "POOL_ORDINAL"),
        (["POOL_NAME": "swarm", "POOL_ORDINAL": "-1"], "POOL_ORDINAL"), (["POOL_ORDINAL": "1"], "POOL_ORDINAL"),
        (["POOL_CONFIG_PATH": "/tmp/config.yml"], "POOL_CONFIG_PATH"),
        (["POOL_NAME": "swarm", "POOL_LEASE_DURATION_SECONDS": "1"], "POOL_LEASE_DURATION_SECONDS"),
    ])
    func `an invalid setting is a problem that names the variable`(variables: [String: String], name: String) {
        let problems = read(variables, host: "swarm-worker-3").1
        #expect(problems.map(\.setting) == [name])
    }

    @Test func `a member without an ordinal is a problem`() {
        #expect(read(["POOL_NAME": "swarm"], host: "laptop").1.map(\.setting) == ["POOL_ORDINAL"])
    }

    @Test func `a member needs a handlers file, and runs jobs only with WORKER_QUEUES`() throws {
        func settings(_ changes: [String: String]) throws -> (WorkerSettings, [ConfigurationProblem]) {
            let environment = ProcessEnvironment(["DATABASE_URL": "postgresql://db/jobs"].merging(changes) { $1 })
            var reader = SettingsReader(environment: environment)
            let settings = WorkerSettings(reading: &reader, environment: environment, on: try Loop(label: "settings"))
            return (settings, reader.problems)
        }
        let scratch = try ScratchDirectory()
        let file = try scratch.write("handlers.json", #"{"handlers": {}}"#)
        let pool = ["POOL_NAME": "swarm", "POOL_ORDINAL": "0"]
        #expect(try settings(pool).1.map(\.setting) == ["POOL_NAME, WORKER_HANDLERS_FILE"])
        let alone = try settings(pool.merging(["WORKER_HANDLERS_FILE": file]) { $1 })
        #expect(alone.1.isEmpty && !alone.0.runsJobs)
        let both = try settings(pool.merging(["WORKER_HANDLERS_FILE": file, "WORKER_QUEUES": "mail"]) { $1 })
        #expect(both.0.runsJobs)
        #expect(try settings([:]).0.runsJobs)
    }
}
