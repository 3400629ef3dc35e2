import TestKit
import Testing

@testable import HTTP

struct FuzzTests {
    private static let seeds = [
        "POST /api/jobs?x=%41 HTTP/1.1\r\nHost: h:80\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n",
        "GET http://[::1]:80/a/b HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\nTransfer-Encoding: chunked\r\nX-Request-Id: abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
        "5;a=\"b\\\"c\"\r\nhello\r\nffff\r\n0\r\nTrailer: x\r\n\r\n",
        "{\"a\":1}&b=%C3%A9+c&=;charset=utf-8",
    ]

    private static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        let special: [UInt8] = [0, 9, 10, 13, 32, 37, 43, 45, 48, 58, 59, 91, 93, 102, 127, 128, 255]
        var result = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let index = Int.random(in: 0...result.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: result.insert(special.randomElement(using: &random) ?? 0, at: index)
            case 1 where index < result.count: result[index] = UInt8.random(in: 0...255, using: &random)
            case 2 where index < result.count: result.remove(at: index)
            case 3:
                let end = Int.random(in: index...result.count, using: &random)
                result.insert(contentsOf: result[index..<end], at: index)
            default: result.removeLast(min(result.count, Int.random(in: 0...8, using: &random)))
            }
        }
        return result
    }

    @Test(arguments: TestSeeds.take(1))
    func `no input traps a parser, and the result does not depend on how the bytes arrive`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = MessageLimits()
        limits.startLineBytesMax = 100
        limits.headBytesMax = 200
        for round in 0..<20_000 {
            let input = Self.mutate(Array(Self.seeds[round % Self.seeds.count].utf8), &random)
            let cut = Int.random(in: 0...input.count, using: &random)

            var whole = RequestParser(limits: limits)
            var parts = RequestParser(limits: limits)
            let expected = whole.parse(input, from: 0)
            var found = parts.parse(Array(input[..<cut]), from: 0)
            if case .needMore = found { found = parts.parse(input, from: 0) }
            #expect(Self.summary(found) == Self.summary(expected), "seed \(seed), round \(round)")
            if case .complete(let head, _) = expected { try Self.use(head) }

            var response = ResponseParser(limits: limits)
            _ = response.parse(input, from: 0)

            var body: [UInt8] = []
            var decoder = ChunkedDecoder(limits: limits, bodyBytesMax: 1_000)
            _ = decoder.decode(input, from: 0, into: &body)
            #expect(body.count <= 1_000, "seed \(seed), round \(round)")

            _ = try? Query(input[...])
            _ = AbsoluteURI(String(decoding: input, as: UTF8.self))
        }
    }

    private static func summary(_ parsed: Parsed<RequestHead>) -> String {
        switch parsed {
        case .needMore: "more"
        case .complete(let head, let consumed): "\(head.method) \(head.path) \(head.fields.all) \(consumed)"
        case .invalid(let violation): "\(violation)"
        }
    }

    private static func use(_ head: RequestHead) throws {
        var router = Router()
        router.on(.get, "/{a}/{b}", access: .open) { _, _ in Response(.ok) }
        router.on(.post, "/api/{name}", access: .open) { _, _ in Response(.ok) }
        if case .route(let index, let parameters) = router.match(head) {
            let request = Request(head: head, body: [], parameters: parameters)
            for name in router.routes[index].parameterNames { _ = try? request.parameter(name) }
            _ = try? request.query()
        }
        _ = head.authority
        _ = head.fields.declareJSON
        _ = RequestID(head.fields, connection: [], serial: 1).description
    }
}
