import EventLoop
import HTTP
import Jobs
import TLS
import Telemetry
import Testing
import Values

@testable import Worker

/// A handler that posts to `url`.
func webhook(
    _ url: String, allow: [String] = ["127.0.0.0/8"], secret: String? = nil, timeout: Duration? = .seconds(20),
    trust: TLSClientContext.Trust = .system, on loop: Loop
) throws -> WebhookHandler {
    let uri = try #require(AbsoluteURI(url))
    let allowed = try #require(WebhookAllowList(allow))
    return WebhookHandler(
        uri: uri, secret: secret.map { Array($0.utf8) }, timeout: timeout,
        addresses: CheckedAddresses(uri, allow: allowed, on: loop),
        client: .forWebhooks(on: loop, tls: try TLSClientContext(trust: trust)), loop: loop)
}

@Suite struct WebhookHandlerTests {
    /// One attempt against a receiver that sends one response.
    private func attempt(_ response: Receiver.Response, on loop: Loop) async throws -> AttemptResult {
        let receiver = try Receiver(on: loop) { _ in response }
        let result = await (try webhook("http://127.0.0.1:\(receiver.port)/", on: loop)).run(leasedJob())
        #expect(receiver.requests.count == 1)
        receiver.close()
        return result
    }

    // MARK: The request

    @Test func `a request has the job, its id and the signature`() async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .status(204) }
            let secret = "an example of a secret of 32 chars"
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/hooks/a?b=c", secret: secret, on: loop)
            let before = WallInstant.now().microseconds / 1_000_000
            let payload = #"{"n":12345678901234567890,"x":1.10,"u":"\u0000"}"#
            #expect(await handler.run(leasedJob(type: "hook.a", payload, attempt: 2)) == .succeeded(result: nil))

            let request = try #require(receiver.requests.first)
            let parts = request.split(separator: "\r\n\r\n", maxSplits: 1)
            let lines = parts[0].split(separator: "\r\n").map(String.init)
            let body = String(parts[1])
            #expect(
                body == #"{"id":"0190163d-8694-739b-aea5-966c26f8ad91","type":"hook.a","queue":"default","#
                    + #""attempt":2,"max_attempts":25,"lease_token":77,"payload":\#(payload)}"#)
            let prefix = "Jobqueue-Timestamp: "
            let timestamp = try #require(lines.first { $0.hasPrefix(prefix) }).dropFirst(prefix.count)
            #expect((before...before + 60).contains(try #require(Int64(timestamp))))
            // Computed by an independent program.
            let digest = await shell(
                "openssl dgst -sha256 -hmac '\(secret)' -r | cut -c 1-64 | tr -d '\\n'", on: loop
            ).run(leasedJob("\(timestamp).\(body)")).resultText
            let signature = try #require(digest).replacing("\"", with: "")
            #expect(
                lines.sorted() == [
                    "Content-Length: \(body.utf8.count)", "Content-Type: application/json",
                    "Host: 127.0.0.1:\(receiver.port)", "Idempotency-Key: 0190163d-8694-739b-aea5-966c26f8ad91",
                    "Jobqueue-Job-Id: 0190163d-8694-739b-aea5-966c26f8ad91", "Jobqueue-Signature: v1=\(signature)",
                    "Jobqueue-Timestamp: \(timestamp)", "POST /hooks/a?b=c HTTP/1.1", "User-Agent: jobqueue",
                    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                ])
            receiver.close()
        }
    }

    @Test(arguments: [
        "x\r\nInjected: yes", "nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nA: b",
    ])
    func `the content of a job cannot add a header`(traceParent: String) async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .status(200) }
            var job = leasedJob("\"x\\r\\nInjected: yes\"")
            job.traceParent = traceParent
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/", on: loop)
            #expect(await handler.run(job) == .succeeded(result: nil))
            let head = try #require(receiver.requests.first?.split(separator: "\r\n\r\n").first)
            #expect(!head.contains("Injected") && !head.contains("traceparent") && !head.contains("A: b"))
            #expect(!head.contains("Signature"))
            receiver.close()
        }
    }

    // MARK: The response

    @Test(arguments: [
        (
            Receiver.Response.status(200, body: #"{"n": 1.10}"#),
            AttemptResult.succeeded(result: Array(#"{"n": 1.10}"#.utf8))
        ),
        (.status(201, body: " 7\n"), .succeeded(result: Array("7".utf8))),
        (.status(200, body: "thank you"), .succeeded(result: Array(#""thank you""#.utf8))),
        (.status(202, body: "\r\n"), .succeeded(result: nil)),
        (
            .status(302, headers: "Location: /other\r\n"),
            .failed(
                error: "the receiver responded with 302 Found: redirections are not followed; "
                    + "the handler must name the final URL")
        ),
        (.status(400, body: "secret"), .failed(error: "the receiver responded with 400 Bad Request")),
        (.status(404), .failed(error: "the receiver responded with 404 Not Found")),
        (.status(408), .retry(error: "the receiver responded with 408 Request Timeout", afterSeconds: nil)),
        (.status(409), .retry(error: "the receiver responded with 409 Conflict", afterSeconds: nil)),
        (.status(425), .retry(error: "the receiver responded with 425 Client Error", afterSeconds: nil)),
        (
            .status(429, headers: "Retry-After: 120\r\n"),
            .retry(error: "the receiver responded with 429 Too Many Requests", afterSeconds: 120)
        ),
        (
            .status(503, headers: "retry-after: 999999999999999999999999\r\n"),
            .retry(error: "the receiver responded with 503 Service Unavailable", afterSeconds: 86_400)
        ),
        (
            .status(500, headers: "Retry-After: soon\r\n", body: "a stack trace"),
            .retry(error: "the receiver responded with 500 Internal Server Error", afterSeconds: nil)
        ),
        (
            .close,
            .retry(
                error: "the connection ended before the response was complete: closed by the server", afterSeconds: nil)
        ),
        (
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12"),
            .retry(
                error: "the connection ended before the response was complete: closed by the server", afterSeconds: nil)
        ),
        (
            .status(200, body: String(repeating: "1", count: 1_048_577)),
            .failed(error: "the response body is longer than 1048576 bytes")
        ),
    ])
    func `the response determines the result of the attempt`(response: Receiver.Response, expected: AttemptResult)
        async throws
    {
        try await onLoop { loop in
            let result = try await attempt(response, on: loop)
            #expect(result == expected)
        }
    }

    @Test func `a response that is not HTTP is a retry`() async throws {
        try await onLoop { loop in
            let error = try await attempt(.bytes("220 mail.example ESMTP\r\n\r\n"), on: loop).retryError
            #expect(error?.hasPrefix("the response is not valid HTTP/1.1: ") == true)
        }
    }

    @Test func `a Retry-After may be a date`() throws {
        let now = try WallInstant(parsing: "1994-11-06T08:49:37Z")
        #expect(RetryAfter.seconds("Sun, 06 Nov 1994 08:51:37 GMT", at: now) == 120)
        #expect(RetryAfter.seconds("Sun, 06 Nov 1994 08:49:37 GMT", at: now) == 0)
        #expect(RetryAfter.seconds("Sat, 05 Nov 1994 08:49:37 GMT", at: now) == 0)
        #expect(RetryAfter.seconds("Fri, 06 Nov 2099 08:49:37 GMT", at: now) == 86_400)
        #expect(RetryAfter.seconds("0", at: now) == 0)
        for wrong in ["", "-1", "+5", "1.5", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "1 2"] {
            #expect(RetryAfter.seconds(wrong, at: now) == nil)
        }
    }

    // MARK: Connections

    @Test func `connections are reused, and a closed one is replaced`() async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { number in
                number == 1 ? .close : .status(200, body: "\(number)")
            }
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/", on: loop)
            #expect(await handler.run(leasedJob()).resultText == "0")
            // The connection ends without a response to the second request, which is sent again as the third.
            #expect(await handler.run(leasedJob()).resultText == "2")
            #expect(await handler.run(leasedJob()).resultText == "3")
            #expect(receiver.connections == 2)
            receiver.close()
        }
    }

    @Test func `a refused connection is a retry, and the error does not contain the URL path`() async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .silence }
            receiver.close()
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/token-in-a-path", on: loop)
            let error = try #require(await handler.run(leasedJob()).retryError)
            #expect(error == "cannot connect: connect to 127.0.0.1:\(receiver.port): Connection refused")
        }
    }

    @Test(arguments: [(Int32(1), Duration.seconds(20), "1.0 seconds"), (300, .milliseconds(100), "0.1 seconds")])
    func `the shorter timeout of job and handler applies`(
        seconds: Int32, timeout: Duration, limit: String
    ) async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .silence }
            var job = leasedJob()
            job.timeoutSeconds = seconds
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/", timeout: timeout, on: loop)
            #expect(await handler.run(job) == .retry(error: "no response within \(limit)", afterSeconds: nil))
            receiver.close()
        }
    }

    @Test func `a cancellation ends the attempt at once and closes its connection`() async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .silence }
            // Long enough that no timeout closes the connection.
            let handler = try webhook("http://127.0.0.1:\(receiver.port)/", timeout: .seconds(600), on: loop)
            let cancellation = Cancellation()
            var job = leasedJob()
            job.timeoutSeconds = 0
            async let result = handler.run(job, cancellation: cancellation)
            #expect(try await eventually(loop) { receiver.requests.count == 1 })
            cancellation.request(.shutdown)
            #expect(await result == .released)
            #expect(try await eventually(loop) { receiver.ended == 1 })
            receiver.close()
        }
    }

    // MARK: TLS

    @Test func `the receiver needs a trusted certificate for its name`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let made = await shell(
                """
                cd \(scratch.path) && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                -keyout key.pem -out cert.pem -subj /CN=receiver -addext subjectAltName=IP:127.0.0.1 2>/dev/null
                """, on: loop
            ).run(leasedJob())
            #expect(made == .succeeded(result: nil))
            let tls = try TLSServerContext(
                certificateFile: "\(scratch.path)/cert.pem", keyFile: "\(scratch.path)/key.pem")
            let receiver = try Receiver(on: loop, tls: tls) { _ in .status(200, body: "1") }
            let url = "https://127.0.0.1:\(receiver.port)/"
            let trust = TLSClientContext.Trust.file("\(scratch.path)/cert.pem")
            #expect(await (try webhook(url, trust: trust, on: loop)).run(leasedJob()).resultText == "1")

            let untrusting = try webhook(url, on: loop)
            #expect(await untrusting.run(leasedJob()).retryError?.contains("certificate") == true)
            let other = "https://localhost:\(receiver.port)/"
            let misled = try webhook(other, allow: ["localhost"], trust: trust, on: loop)
            #expect(await misled.run(leasedJob()).retryError?.contains("localhost") == true)
            #expect(receiver.requests.count == 1)
            receiver.close()
        }
    }
}
