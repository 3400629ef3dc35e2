internal import Values

extension OpenAPIDocument {
    static let parameters = #"""
        {
          "JobID": {
            "name": "id", "in": "path", "required": true,
            "description": "The id of a job. What is no UUID is the id of no job: 404.",
            "schema": {"type": "string", "format": "uuid"},
            "example": "01a1f9d1-600b-7408-9921-518e3543629d"
          },
          "QueueName": {
            "name": "name", "in": "path", "required": true, "description": "Of a queue.",
            "schema": {"$ref": "#/components/schemas/Name"},
            "example": "mail"
          },
          "PoolName": {
            "name": "name", "in": "path", "required": true, "description": "Of a pool, with `/` written as `%2F`.",
            "schema": {"$ref": "#/components/schemas/Name"},
            "example": "swarm"
          },
          "RequestID": {
            "name": "X-Request-Id", "in": "header", "required": false,
            "description": "Names the request in the answer and in the log, if it is of the form `[A-Za-z0-9._-]{1,128}`; else one is made.",
            "schema": {"type": "string"}
          },
          "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Made up by the client, for a request that it may have to send again: within 24 hours the same key with the same body has the same answer, and creates nothing. With another body: 409.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"}
          },
          "TraceParent": {
            "name": "traceparent", "in": "header", "required": false,
            "description": "W3C Trace Context. It is the job's `trace_parent` unless the body names one.",
            "schema": {"type": "string"}
          }
        }
        """#

    static let headers = #"""
        {
          "RequestID": {
            "description": "The client's own id of the request, or one that was made here.",
            "schema": {"type": "string"}
          },
          "RetryAfter": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer", "minimum": 0}
          },
          "Challenge": {
            "description": "How to authenticate (RFC 6750).",
            "required": true,
            "schema": {"type": "string"}
          }
        }
        """#

    static let requestBodies = #"""
        {
          "Actor": {
            "required": false,
            "description": "Who does it and why, if that is to be told; both are optional.",
            "content": {
              "application/json": {
                "schema": {"$ref": "#/components/schemas/Actor"},
                "example": {"reason": "the customer has left", "updated_by": "ada"}
              }
            }
          }
        }
        """#

    static let examples = #"""
        {
          "QueuedJob": {
            "summary": "A job that waits",
            "value": {
              "id": "01a1f9d1-600b-7408-9921-518e3543629d", "type": "echo", "queue": "default", "status": "queued",
              "priority": 0, "payload": {"hello": "world"}, "attempt": 0, "max_attempts": 25, "timeout_seconds": 300,
              "cancel_grace_seconds": 10, "backoff": {"kind": "standard"}, "unique_key": null, "concurrency_key": null,
              "tags": [], "created_at": "2030-01-31T09:30:00.820839Z", "run_at": "2030-01-31T09:30:00.820839Z",
              "started_at": null, "finished_at": null, "trace_parent": null, "teardown": null, "worker": null,
              "lease_token": null, "lease_expires_at": null, "progress": null, "result": null, "last_error": null
            }
          }
        }
        """#

    /// Answers that several operations give.
    static let responses = """
        {
          "Job": {
            "description": "The job as it is now.",
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
            "content": {
              "application/json": {
                "schema": {"$ref": "#/components/schemas/Job"},
                "examples": {"queued": {"$ref": "#/components/examples/QueuedJob"}}
              }
            }
          },
          "Pool": {
            "description": "The pool as it is now.",
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
            "content": {
              "application/json": {
                "schema": {"$ref": "#/components/schemas/Pool"},
                "example": {
                  "name": "swarm", "size": 3, "handler": "stream", "workloads": ["stream:a", "stream:b"], "version": 4,
                  "complete": false, "waiting_for_members": false, "effective_size": 3,
                  "members": [
                    {
                      "ordinal": 0, "name": "swarm-worker-0", "host": "swarm-worker-0",
                      "incarnation": "01a1f9d1-600b-7408-9921-518e3543629d", "state": "alive",
                      "joined_at": "2030-01-31T09:00:00.000000Z", "expires_at": "2030-01-31T09:30:30.000000Z"
                    }
                  ],
                  "missing": [1, 2], "created_at": "2030-01-31T09:00:00.000000Z",
                  "updated_at": "2030-01-31T09:00:00.000000Z", "updated_by": "ada", "reason": null
                }
              }
            }
          },
          "BulkReport": {
            "description": "What was done, or would be.",
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
            "content": {
              "application/json": {
                "schema": {"$ref": "#/components/schemas/BulkReport"},
                "example": {
                  "matched": 2, "changed": 2, "dry_run": false, "more": false,
                  "ids": ["01a1f9d1-60c0-763d-af52-7bebf5b9f157", "01a1f9d1-60c0-7624-a803-d5540538993a"]
                }
              }
            }
          },
        \(problems.joined(separator: ",\n"))
        }
        """

    private static let problems = [
        problem(
            "InvalidSyntax", 400, "Bad Request", "The body is not JSON.",
            #""detail": "the body is not valid JSON: expected a value, found '}' at line 2, column 15", "line": 2, "column": 15"#
        ),
        problem(
            "InvalidQuery", 400, "Bad Request", "The query is not accepted, and why.",
            #""detail": "the query has an error", "errors": [{"parameter": "limit", "detail": "must be an integer from 1 to 500"}]"#
        ),
        problem(
            "Unauthorized", 401, "Unauthorized", "No valid key was presented.",
            #""detail": "this needs a key: send Authorization: Bearer KEY""#,
            header: ##""WWW-Authenticate": {"$ref": "#/components/headers/Challenge"}"##),
        problem(
            "UnknownJob", 404, "Not Found", "There is no job with this id.",
            #""detail": "there is no job with this id""#),
        problem(
            "UnknownPool", 404, "Not Found", "There is no pool with this name.",
            #""detail": "there is no pool with this name""#),
        problem(
            "Conflict", 409, "Conflict", "The state of the job does not allow it.",
            #""detail": "the job is succeeded; only a job that is queued, scheduled or running can be cancelled", "job_status": "succeeded""#
        ),
        problem(
            "KeyConflict", 409, "Conflict",
            "The `Idempotency-Key` was sent with another request, or the job that it led to has been removed since.",
            #""detail": "this Idempotency-Key was sent with another request in the last 24 hours; a key goes with one body""#
        ),
        problem(
            "TooLarge", 413, "Content Too Large", "The body, or a payload in it, is too long.",
            #""detail": "the body has an error", "errors": [{"pointer": "/payload", "detail": "is 1048577 bytes long; at most 1048576 are accepted"}]"#
        ),
        problem(
            "UnsupportedMediaType", 415, "Unsupported Media Type", "The body is not sent as application/json.",
            #""detail": "the body must be sent with Content-Type: application/json, not compressed""#),
        problem(
            "InvalidInput", 422, "Unprocessable Content",
            "The body is JSON, and says what is not accepted: every error in it, by JSON pointer (RFC 6901).",
            #""detail": "the body has an error", "errors": [{"pointer": "/type", "detail": "is required"}]"#),
        problem(
            "Unavailable", 503, "Service Unavailable",
            "PostgreSQL cannot be reached, or too much is asked at once. With `outcome: unknown` it may have been done.",
            #""detail": "PostgreSQL cannot be reached now; nothing was done""#,
            header: ##""Retry-After": {"$ref": "#/components/headers/RetryAfter"}"##),
        problem("Error", 500, "Internal Server Error", "Any other error.", #""detail": "the server has failed""#),
    ]

    /// A component `name`: a problem document, with an example of its members.
    private static func problem(
        _ name: String, _ status: Int, _ title: String, _ description: String, _ members: String, header: String? = nil
    ) -> String {
        let headers = [##""X-Request-Id": {"$ref": "#/components/headers/RequestID"}"##] + (header.map { [$0] } ?? [])
        return #"""
            "\#(name)": {
              "description": "\#(description)",
              "headers": {\#(headers.joined(separator: ", "))},
              "content": {
                "application/problem+json": {
                  "schema": {"$ref": "#/components/schemas/Problem"},
                  "example": {"type": "about:blank", "title": "\#(title)", "status": \#(status), \#(members)}
                }
              }
            }
            """#
    }
}
