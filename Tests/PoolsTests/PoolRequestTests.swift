import JSON
import Pools
import Testing

@Suite struct PoolRequestTests {
    private func read(_ body: String) throws -> (request: PoolRequest, errors: InputErrors) {
        let (request, errors) = try InputReader.read(Array(body.utf8)) { input throws(JSONSyntaxError) in
            try PoolRequest.read(&input, name: "p")
        }
        return (request, errors)
    }

    private func pointers(_ body: String) throws -> [String] {
        try read(body).errors.all.map(\.pointer.text)
    }

    @Test func `a pool is read`() throws {
        let (request, errors) = try read(
            #"{"size":3,"workloads":["stream:a","b"],"handler":"stream","reason":"r","updated_by":"ada"}"#)
        #expect(errors.isEmpty)
        #expect(request.spec == PoolSpec(name: "p", size: 3, workloads: ["stream:a", "b"], handler: "stream"))
        #expect(request.reason == "r" && request.updatedBy == "ada")
        let automatic = try read(#"{"size":"auto","workloads":[],"handler":"h"}"#)
        #expect(automatic.errors.isEmpty && automatic.request.spec.size == nil)
    }

    @Test(arguments: ["0", "1001", "1.5", "-1", "null", "true", "\"Auto\"", "\"3\"", "[3]", "{\"a\":1}"])
    func `a size that is not accepted is refused, with what is accepted`(size: String) throws {
        let errors = try read("{\"size\":\(size),\"workloads\":[],\"handler\":\"h\"}").errors
        #expect(errors.all.map(\.detail) == ["must be \"auto\" or an integer from 1 to 1000"])
    }

    @Test func `all errors are reported, each with its pointer`() throws {
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
