internal import HTTP
internal import JSON
internal import Jobs
internal import TLS
internal import Telemetry
internal import Values

/// The request that tells a receiver to run one attempt. `docs/handlers.md` says how a receiver checks it.
enum WebhookRequest {
    /// - Parameter secret: signs the request; nil leaves it unsigned.
    static func make(
        for job: LeasedJob, target: String, secret: [UInt8]?, at now: WallInstant
    ) throws(InvalidField) -> ClientRequest {
        let body = body(for: job)
        let timestamp = "\(now.microseconds / 1_000_000)"
        let id = "\(job.id)"
        var request = ClientRequest(.post, target, contentType: .json, body: body)
        // A receiver is told to expect repetitions, and by what it knows them.
        request.mayBeRepeated = true
        try request.add(name: "User-Agent", "jobqueue")
        try request.add(name: "Jobqueue-Job-Id", id)
        try request.add(name: "Idempotency-Key", id)
        try request.add(name: "Jobqueue-Timestamp", timestamp)
        if let secret {
            try request.add(name: "Jobqueue-Signature", signature(of: body, timestamp: timestamp, secret: secret))
        }
        // It came from whoever created the job; what is none is left out, as W3C Trace Context wants it.
        if let text = job.traceParent, let parent = TraceParent(parsing: text) {
            try request.add(name: "traceparent", "\(parent)")
        }
        return request
    }

    /// `v1=` and the HMAC-SHA256 of `timestamp.body` in hexadecimal.
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
