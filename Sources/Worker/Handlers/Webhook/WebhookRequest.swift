internal import HTTP
internal import JSON
internal import Jobs
internal import TLS
internal import Telemetry
internal import Values

/// The request of one attempt. `docs/handlers.md`, "Webhooks", describes it and how a receiver verifies it.
enum WebhookRequest {
    /// - Parameter secret: the key of the signature; nil: the request is not signed.
    static func make(
        for job: LeasedJob, target: String, secret: [UInt8]?, at now: WallInstant
    ) throws(InvalidField) -> ClientRequest {
        let body = body(for: job)
        let timestamp = "\(now.microseconds / 1_000_000)"
        let id = "\(job.id)"
        var request = ClientRequest(.post, target, contentType: .json, body: body)
        // Receivers must expect repetitions, and recognize them by the job id.
        request.mayBeRepeated = true
        try request.add(name: "User-Agent", "jobqueue")
        try request.add(name: "Jobqueue-Job-Id", id)
        try request.add(name: "Idempotency-Key", id)
        try request.add(name: "Jobqueue-Timestamp", timestamp)
        if let secret {
            try request.add(name: "Jobqueue-Signature", signature(of: body, timestamp: timestamp, secret: secret))
        }
        // The value comes from the creator of the job. An invalid one is left out, as W3C Trace Context requires.
        if let text = job.traceParent, let parent = TraceParent(parsing: text) {
            try request.add(name: "traceparent", "\(parent)")
        }
        return request
    }

    /// `v1=`, then the HMAC-SHA256 of `timestamp.body` in hexadecimal.
    private static func signature(of body: [UInt8], timestamp: String, secret: [UInt8]) -> String {
        var code = HMACSHA256(key: secret)
        code.update(Array(timestamp.utf8))
        code.update([UInt8(ascii: ".")])
        code.update(body)
        return "v1=\(code.finalize().hexadecimal)"
    }

    private static func body(for job: LeasedJob) -> [UInt8] {
        var writer = JSONWriter(capacity: job.payload.count + 256)
        writer.beginObject()
        writer.member("id", "\(job.id)")
        writer.member("type", job.type)
        writer.member("queue", job.queue)
        writer.member("attempt", job.attempt)
        writer.member("max_attempts", job.maxAttempts)
        writer.member("lease_token", job.token)
        writer.key("payload")
        writer.raw(job.payload)
        writer.endObject()
        return writer.finish()
    }
}
