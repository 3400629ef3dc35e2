import HTTP
import Jobs
import Postgres
import Telemetry
import Testing
import Values

@testable import Api

@Suite struct ListQueryTests {
    private func read(_ query: String) throws(Problem) -> ListQuery {
        guard let request = try? request("GET /api/jobs?\(query) HTTP/1.1") else {
            throw Problem(.internalServerError)
        }
        return try ListQuery(try request.query())
    }

    private func parameters(_ query: String) -> [String] {
        (problem { () throws(Problem) in _ = try read(query) }?.errors ?? []).map { error in
            if case .parameter(let name) = error.location { name } else { "no parameter" }
        }
    }

    @Test func `without parameters, the newest jobs are listed`() throws {
        let query = try read("")
        #expect(query.limit == 50 && query.cursor == nil)
        #expect(query.filter.status == nil && query.filter.queue == nil && query.filter.since == nil)
    }

    @Test func `every parameter is read`() throws {
        let cursor = JobCursor(after: UUID(high: 1, low: 2))
        let query = try read(
            "status=failed&queue=mail&type=email.send&tag=a+b%2B&since=2030-01-01T00:00:00Z"
                + "&until=2030-01-02T00:00:00.5%2B01:00&limit=500&cursor=\(cursor.text)")
        #expect(query.filter.status == .failed)
        #expect(query.filter.queue == "mail" && query.filter.type == "email.send" && query.filter.tag == "a b+")
        #expect(query.filter.since == (try WallInstant(parsing: "2030-01-01T00:00:00Z")))
        #expect(query.filter.until == (try WallInstant(parsing: "2030-01-01T23:00:00.5Z")))
        #expect(query.limit == 500 && query.cursor == cursor)
        #expect(try read("include=result,payload").members == [.payload, .result])
        #expect(try read("include=payload,result,teardown,last_error").members == .all)
        #expect(try read("worker=w-1&status=running").filter.worker == "w-1")
    }

    @Test(arguments: [
        "status=done", "status=", "queue=", "queue=a%20b", "type=%00", "tag=", "tag=%0a", "worker=%7f",
        "since=yesterday", "until=2030-13-01T00:00:00Z", "limit=0", "limit=501", "limit=%2B5", "limit=-1", "limit=5.0",
        "limit=99999999999999999999", "limit=", "cursor=", "cursor=101a1", "cursor=201a1f9d160c07624a803d5540538993a",
        "cursor=101A1F9D160C07624A803D5540538993A", "include=", "include=payload,", "include=payload,payload",
        "include=Payload", "include=all", "include=payload%20", "cursor=';DROP+TABLE+job", "schedule=x",
    ])
    func `a value that is not accepted is reported with its parameter`(query: String) throws {
        let name = try #require(query.split(separator: "=").first)
        #expect(parameters(query) == [String(name)])
    }

    @Test func `all errors are reported at once`() {
        #expect(parameters("limit=0&colour=red&status=x&queue=a&queue=b") == ["limit", "colour", "status", "queue"])
        #expect(parameters("worker=w&status=failed&tag=t") == ["worker", "worker"])
    }

    @Test func `a cursor keeps the whole id`() {
        for id in [UUID(high: 0, low: 0), UUID(high: .max, low: .max), UUID(high: 0x0123_4567_89ab_cdef, low: 1)] {
            #expect(JobCursor(JobCursor(after: id).text)?.last == id)
        }
    }
}
