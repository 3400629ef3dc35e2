import JSON
import Jobs
import TestKit
import Testing

@Suite struct JobRoutesTests {
    /// Parts of a payload that JSON libraries often change: large numbers, trailing zeros, huge exponents, NUL, names
    /// that differ only in how they are composed, repeated names, blanks.
    private static let delicate =
        #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2},"#
        + #""a":1, "a" : [ ] ,"s":"\/\ud800"}"#

    @Test func `a payload comes back byte for byte`() async throws {
        try await withApi { api, _ in
            let created = try await api.client.post(
                "/api/jobs", #"{"type":"echo","payload":\#(Self.delicate)}"#)
            #expect(created.status == 201)
            #expect(created.text.contains(#""payload":\#(Self.delicate),"#))
            let location = try #require(created["Location"])
            #expect(created.text.hasPrefix(#"{"id":"\#(location.dropFirst("/api/jobs/".utf8.count))","#))
            #expect(created["X-Request-Id"]?.isEmpty == false)

            let shown = try await api.client.get(location)
            #expect(shown.status == 200)
            #expect(shown.text == created.text)
            let listed = try await api.client.get("/api/jobs?include=payload,result,teardown,last_error")
            #expect(listed.text == #"{"jobs":[\#(created.text)],"next_cursor":null}"#)
        }
    }

    @Test func `every option of a job is kept`() async throws {
        try await withApi { api, _ in
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let created = try await api.client.request(
                "POST", "/api/jobs", headers: [("traceparent", trace), ("X-Request-Id", "mine-1")],
                body: """
                    {"type":"email.send","queue":"mail/high","payload":null,"priority":-5,
                     "run_at":"2099-01-31T09:30:00.5+01:00","max_attempts":3,"timeout_seconds":0,
                     "backoff":{"kind":"exponential","base_seconds":2,"max_seconds":60.5},"tags":["a","ü \\" {},","a"]}
                    """)
            #expect(created.status == 201)
            #expect(created["X-Request-Id"] == "mine-1")
            let id = try #require(try created.json["id"]?.string)
            let job = try await api.client.get("/api/jobs/\(id)").json
            let answered = try created.json
            #expect(job == answered)
            #expect(job["status"]?.string == "scheduled" && job["queue"]?.string == "mail/high")
            #expect(job["priority"]?.integer == -5 && job["timeout_seconds"]?.integer == 0)
            #expect(job["run_at"]?.string == "2099-01-31T08:30:00.500000Z")
            let backoff = #"{"kind":"exponential","base_seconds":2.0,"max_seconds":60.5}"#
            #expect(job["backoff"]?.text == backoff)
            #expect(job["tags"] == ["a", "ü \" {},"])
            #expect(job["trace_parent"]?.string == trace)
            #expect(try await api.client.get("/api/queues").json["queues"]?[0]?["depth"]?["scheduled"]?.integer == 1)
        }
    }

    @Test func `a batch is created as a whole, in order, or not at all`() async throws {
        try await withApi { api, fixture in
            let refused = try await api.client.post(
                "/api/jobs/batch", #"{"jobs":[{"type":"a"},{"type":"b","priority":"high"}]}"#)
            #expect(refused.status == 422)
            #expect(try refused.json["errors"]?[0]?["pointer"]?.string == "/jobs/1/priority")
            #expect(try await fixture.count("job") == 0)

            let jobs = (0..<1_000).map { #"{"type":"echo","payload":\#($0)}"# }.joined(separator: ",")
            let created = try await api.client.post("/api/jobs/batch", #"{"jobs":[\#(jobs)]}"#)
            #expect(created.status == 201)
            let ids = try created.json["jobs"]?.array?.compactMap { $0["id"]?.string } ?? []
            #expect(Set(ids).count == 1_000)
            for index in [0, 499, 999] {
                #expect(try await api.client.get("/api/jobs/\(ids[index])").json["payload"]?.integer == index)
            }
        }
    }

    // MARK: Lists

    @Test func `pages follow each other without a gap or a repetition while jobs are created`() async throws {
        try await withApi { api, _ in
            var created: [String] = []
            for _ in 0..<7 { created.append(try await api.createJob()) }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let target = "/api/jobs?limit=3" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = try await api.client.get(target).json
                let ids = page["jobs"]?.array?.compactMap { $0["id"]?.string } ?? []
                #expect(ids.count <= 3)
                seen += ids
                cursor = page["next_cursor"]?.string
                _ = try await api.createJob()
            } while cursor != nil && seen.count < 100
            #expect(seen == created.reversed())
        }
    }

    @Test func `filters go together`() async throws {
        try await withApi { api, _ in
            let mail = try await api.createJob(#"{"type":"send","queue":"mail","tags":["x"]}"#)
            let later = try await api.createJob(#"{"type":"send","queue":"mail","run_at":"2099-01-01T00:00:00Z"}"#)
            let other = try await api.createJob(#"{"type":"scan","tags":["x","y"]}"#)
            func list(_ query: String) async throws -> [String] {
                let answer = try await api.client.get("/api/jobs?\(query)")
                #expect(answer.status == 200, "\(query): \(answer.text)")
                return try answer.json["jobs"]?.array?.compactMap { $0["id"]?.string } ?? []
            }
            #expect(try await list("queue=mail") == [later, mail])
            #expect(try await list("queue=mail&status=queued") == [mail])
            #expect(try await list("status=scheduled") == [later])
            #expect(try await list("type=scan") == [other])
            #expect(try await list("tag=x") == [other, mail])
            #expect(try await list("tag=x&queue=mail&status=queued&type=send") == [mail])
            #expect(try await list("since=2020-01-01T00:00:00Z") == [other, later, mail])
            #expect(try await list("until=2020-01-01T00:00:00Z") == [])
            #expect(try await list("queue=nobody-knows") == [])
            #expect(try await list("worker=w-1") == [])
            #expect(try await list("worker=w-1&status=running") == [])
            for status in ["running", "ending", "succeeded", "failed", "cancelled"] {
                #expect(try await list("status=\(status)") == [])
                #expect(try await list("status=\(status)&tag=x") == [])
            }
        }
    }

    @Test func `a page of large jobs ends early, and leads on`() async throws {
        try await withApi { api, _ in
            let payload = String(repeating: "x", count: 1_000_000)
            for _ in 0..<6 { _ = try await api.createJob(#"{"type":"large","payload":"\#(payload)"}"#) }
            let brief = try await api.client.get("/api/jobs?limit=500").json
            #expect(brief["jobs"]?.array?.count == 6 && brief["next_cursor"] == .null)
            let job = try #require(brief["jobs"]?.array?.first?.object)
            #expect(Set(job.map(\.name)).isDisjoint(with: ["payload", "result", "teardown", "last_error"]))

            let path = "/api/jobs?limit=500&include=payload"
            let first = try await api.client.request("GET", path, within: .seconds(30))
            #expect(first.body.count < 4_200_000)
            let cursor = try #require(try first.json["next_cursor"]?.string)
            let second = try await api.client.request("GET", "\(path)&cursor=\(cursor)", within: .seconds(30)).json
            #expect(second["next_cursor"] == .null)
            let count = (try first.json["jobs"]?.array?.count ?? 0) + (second["jobs"]?.array?.count ?? 0)
            #expect(count == 6)
        }
    }

    // MARK: Changes

    @Test func `a job that waits is cancelled, and retried`() async throws {
        try await withApi { api, fixture in
            for body in [#"{"type":"a"}"#, #"{"type":"a","run_at":"2099-01-01T00:00:00Z"}"#] {
                let id = try await api.createJob(body)
                for _ in 0..<2 {
                    let cancelled = try await api.client.request("POST", "/api/jobs/\(id)/cancel")
                    #expect(cancelled.status == 200)
                    #expect(try cancelled.json["status"]?.string == "cancelled")
                }
                let retried = try await api.client.request("POST", "/api/jobs/\(id)/retry", body: "{}")
                #expect(retried.status == 200)
                #expect(try retried.json["status"]?.string == "queued")
                let again = try await api.client.request("POST", "/api/jobs/\(id)/retry")
                #expect(again.status == 409)
                #expect(try again.json["job_status"]?.string == "queued")
            }
            #expect(try await fixture.count("outcome") == 0)
        }
    }

    @Test func `a scheduled job is run now, and a retry does the same for one that waits for its next attempt`()
        async throws
    {
        try await withApi { api, fixture in
            let later = try await api.createJob(#"{"type":"a","run_at":"2099-01-01T00:00:00Z"}"#)
            for _ in 0..<2 {
                let answer = try await api.client.request(
                    "POST", "/api/jobs/\(later)/run-now", body: #"{"updated_by":"ada","reason":"cannot wait"}"#)
                #expect(answer.status == 200)
                #expect(try answer.json["status"]?.string == "queued")
            }
            let event = try await api.client.get("/api/jobs/\(later)/events").json["events"]?.array?.last
            #expect(event?["actor"] == "ada" && event?["reason"] == "cannot wait")

            let leased = try #require(try await fixture.lease(1).first)
            _ = try await fixture.finish(leased, .retry(error: "e", afterSeconds: nil))
            #expect(try await api.client.get("/api/jobs/\(later)").json["status"]?.string == "scheduled")
            let retried = try await api.client.request("POST", "/api/jobs/\(later)/retry")
            #expect(retried.status == 200)
            #expect(try retried.json["status"]?.string == "queued")
            let again = try #require(try await fixture.lease(1).first)
            #expect(again.attempt == 2)
            _ = try await fixture.finish(again, .succeeded(result: nil))
            let refused = try await api.client.request("POST", "/api/jobs/\(later)/run-now")
            #expect(refused.status == 409)
            #expect(try refused.json["job_status"]?.string == "succeeded")
            #expect(try await fixture.count("ready") == 0)
            #expect(try await fixture.count("scheduled") == 0)
        }
    }

    @Test func `a running job is asked to stop and not retried, and a job that is done stays done`() async throws {
        try await withApi { api, fixture in
            let id = try await api.createJob()
            let leased = try #require(try await fixture.lease(1).first)
            let refused = try await api.client.request("POST", "/api/jobs/\(id)/retry")
            #expect(refused.status == 409)
            #expect(refused["Content-Type"] == "application/problem+json")
            let detail = "the job is running; only failed, cancelled and scheduled jobs can be retried"
            #expect(try refused.json["detail"]?.string == detail)
            for _ in 1...2 {
                let asked = try await api.client.post("/api/jobs/\(id)/cancel", #"{"updated_by":"ada"}"#)
                #expect(asked.status == 200)
                #expect(try asked.json["status"]?.string == "ending")
            }
            let ending = try await api.client.get("/api/jobs/\(id)").json
            #expect(ending["status"]?.string == "ending" && ending["lease_token"]?.integer == Int(leased.token))
            #expect(ending["attempt"]?.integer == 1)

            let answer = try await fixture.finish(leased, .succeeded(result: Array(#"{"x":1.0}"#.utf8)))
            #expect(answer != nil)
            for verb in ["cancel", "retry"] {
                let answer = try await api.client.request("POST", "/api/jobs/\(id)/\(verb)")
                #expect(try answer.json["job_status"]?.string == "succeeded")
            }
            let done = try await api.client.get("/api/jobs/\(id)")
            #expect(done.text.contains(#""result":{"x":1.0}"#))
        }
    }

    @Test func `an id that no job has is not found`() async throws {
        try await withApi { api, _ in
            for id in ["00000000-0000-7000-8000-000000000000", "nonsense", "%27%3B--", "a%00b", "%C3%A9"] {
                let shown = try await api.client.get("/api/jobs/\(id)")
                #expect(shown.status == 404, "\(id)")
                for verb in ["cancel", "retry", "run-now"] {
                    let changed = try await api.client.request("POST", "/api/jobs/\(id)/\(verb)")
                    #expect(changed.status == 404, "\(id)")
                }
            }
        }
    }
}
