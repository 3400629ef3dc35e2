import HTTP
import JSON
import Pools
import Testing

@testable import Api

@Suite struct PoolInputTests {
    private func read(_ body: String) throws -> PoolInput {
        try BodyReader.pool(try request("PUT /api/pools/a HTTP/1.1", body: body))
    }

    private func pointers(_ body: String) throws -> [String] {
        let problem = #expect(throws: Problem.self) { try read(body) }
        return try #require(problem).errors.map { error in
            if case .pointer(let pointer) = error.location { pointer } else { "" }
        }
    }

    @Test func `a pool is read`() throws {
        let input = try read(
            #"{"size":3,"workloads":["stream:a","b"],"handler":"stream","reason":"r","updated_by":"ada"}"#)
        #expect(input.size == 3 && input.workloads == ["stream:a", "b"] && input.handler == "stream")
        #expect(input.reason == "r" && input.updatedBy == "ada")
        #expect(try read(#"{"size":"auto","workloads":[],"handler":"h"}"#).size == nil)
    }

    @Test(arguments: ["0", "1001", "1.5", "-1", "null", "true", "\"Auto\"", "\"3\"", "[3]", "{\"a\":1}"])
    func `a size that cannot be is refused, with what is accepted`(size: String) throws {
        let problem = #expect(throws: Problem.self) {
            try read("{\"size\":\(size),\"workloads\":[],\"handler\":\"h\"}")
        }
        let errors = try #require(problem).errors
        #expect(errors.count == 1)
        #expect(errors[0].detail.hasPrefix("must be \"auto\" or an integer from 1 to 1000"))
    }

    @Test func `everything that is wrong is told by its place`() throws {
        #expect(
            try pointers(#"{"size":0,"workloads":["a","a","b c",1],"handler":1,"extra":1,"size":1}"#)
                == ["/size", "/workloads/1", "/workloads/2", "/workloads/3", "/handler", "/extra", "/size"])
        #expect(try pointers("{}") == ["/size", "/workloads", "/handler"])
        #expect(try pointers("[]") == [""])
        let many = (0...PoolLimits.workloadsMax).map { "\"w\($0)\"" }.joined(separator: ",")
        #expect(try pointers("{\"size\":1,\"workloads\":[\(many)],\"handler\":\"h\"}") == ["/workloads"])
        #expect(try pointers(#"{"size":1,"workloads":{},"handler":"h"}"#) == ["/workloads"])
    }
}
