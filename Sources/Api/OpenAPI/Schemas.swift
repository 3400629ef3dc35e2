internal import Values

extension OpenAPIDocument {
    /// JSON Schema 2020-12. The bounds are those of `JobLimits`, which a test compares.
    static let schemas = #"""
        {
        \#(storySchemas)
        \#(bulkSchemas)
        \#(controlSchemas)
        \#(poolSchemas)
          "JobStatus": {
            "type": "string",
            "description": "`scheduled`: its time lies ahead. `queued`: may be taken by a worker now. `running`: a worker has it. `ending`: asked to stop while it ran. `succeeded`, `failed` (out of attempts, or for good) and `cancelled`: ended.",
            "enum": ["scheduled", "queued", "running", "ending", "succeeded", "failed", "cancelled"]
          },
          "Name": {
            "type": "string",
            "description": "Of a type or a queue.",
            "pattern": "^[A-Za-z0-9._:/-]{1,128}$"
          },
          "Tag": {
            "type": "string",
            "description": "At most 128 bytes of UTF-8 without control characters.",
            "minLength": 1, "maxLength": 128,
            "pattern": "^[^\\u0000-\\u001f\\u007f]*$"
          },
          "Actor": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
              "reason": {
                "type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
                "description": "Why. At most 1,000 bytes of UTF-8 without control characters."
              },
              "updated_by": {
                "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
                "description": "Who. At most 255 bytes of UTF-8 without control characters."
              }
            }
          },
          "Key": {
            "type": "string",
            "description": "At most 255 bytes of UTF-8 without control characters.",
            "minLength": 1, "maxLength": 255,
            "pattern": "^[^\\u0000-\\u001f\\u007f]*$"
          },
          "Backoff": {
            "description": "How long to wait after a failed attempt. `standard` is attempt^4 seconds, at most a day. `exponential` is base_seconds, doubled with each attempt. Both vary by 10 %, so that jobs which failed together do not come back together.",
            "oneOf": [
              {
                "type": "object",
                "required": ["kind"],
                "additionalProperties": false,
                "properties": {"kind": {"enum": ["standard", "none"]}}
              },
              {
                "type": "object",
                "required": ["kind", "base_seconds"],
                "additionalProperties": false,
                "properties": {
                  "kind": {"const": "fixed"},
                  "base_seconds": {"$ref": "#/components/schemas/BackoffSeconds"}
                }
              },
              {
                "type": "object",
                "required": ["kind", "base_seconds", "max_seconds"],
                "additionalProperties": false,
                "properties": {
                  "kind": {"const": "exponential"},
                  "base_seconds": {"$ref": "#/components/schemas/BackoffSeconds"},
                  "max_seconds": {"$ref": "#/components/schemas/BackoffSeconds"}
                }
              }
            ]
          },
          "BackoffSeconds": {"type": "number", "minimum": 0, "maximum": 604800},
          "NewJob": {
            "type": "object",
            "required": ["type"],
            "additionalProperties": false,
            "properties": {
              "type": {
                "$ref": "#/components/schemas/Name",
                "description": "What kind of work it is: it chooses the handler of the worker."
              },
              "queue": {"$ref": "#/components/schemas/Name", "default": "default"},
              "payload": {
                "description": "Any JSON, kept byte for byte: no number is rounded, no name is lost. At most 1 MiB of text (JOB_PAYLOAD_MAX_BYTES).",
                "default": null
              },
              "priority": {
                "type": "integer", "minimum": -32768, "maximum": 32767, "default": 0, "description": "Lower runs first."
              },
              "run_at": {
                "type": "string", "format": "date-time",
                "description": "Not before this instant, by the clock of PostgreSQL. RFC 3339; by default at once."
              },
              "max_attempts": {
                "type": "integer", "minimum": 1, "maximum": 10000, "default": 25,
                "description": "How often it may be started, crashes included."
              },
              "timeout_seconds": {
                "type": "integer", "minimum": 0, "maximum": 2592000, "default": 300,
                "description": "The deadline of one attempt; 0: none."
              },
              "cancel_grace_seconds": {
                "type": "integer", "minimum": 0, "maximum": 3600, "default": 10,
                "description": "When it is cancelled while it runs: the time between the request to stop and the use of force."
              },
              "teardown": {
                "$ref": "#/components/schemas/NewJob",
                "description": "A job that is created when this one has to be ended by force because it did not stop. Without `run_at`, `unique_key`, `unique_for` and a teardown of its own."
              },
              "backoff": {"$ref": "#/components/schemas/Backoff"},
              "concurrency_key": {
                "$ref": "#/components/schemas/Key",
                "description": "Jobs of one queue with the same key take turns with those of other keys, and may be bounded in number."
              },
              "unique_key": {
                "$ref": "#/components/schemas/Key",
                "description": "While a job has it, no other job of this type gets it: the answer is then the job that has it."
              },
              "unique_for": {
                "description": "How long the job has its `unique_key`: until it ends, or so many seconds from its creation on, whatever becomes of it; at most until retention removes it.",
                "default": "active",
                "oneOf": [{"const": "active"}, {"type": "integer", "minimum": 1, "maximum": 31536000}]
              },
              "tags": {
                "type": "array", "maxItems": 32, "default": [],
                "items": {"$ref": "#/components/schemas/Tag"}
              },
              "trace_parent": {
                "type": "string",
                "pattern": "^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
                "description": "W3C Trace Context, version 00."
              }
            }
          },
          "Job": {
            "type": "object",
            "required": [
              "id", "type", "queue", "status", "priority", "payload", "attempt", "max_attempts", "timeout_seconds",
              "cancel_grace_seconds", "backoff", "unique_key", "concurrency_key", "tags", "created_at", "run_at",
              "started_at", "finished_at", "trace_parent", "teardown", "worker", "lease_token", "lease_expires_at",
              "progress", "result", "last_error"
            ],
            "properties": {
              "id": {"type": "string", "format": "uuid", "description": "A UUID of version 7."},
              "type": {"$ref": "#/components/schemas/Name"},
              "queue": {"$ref": "#/components/schemas/Name"},
              "status": {"$ref": "#/components/schemas/JobStatus"},
              "priority": {"type": "integer"},
              "payload": {"description": "As it was given, byte for byte."},
              "attempt": {"type": "integer", "description": "Attempts spent, or the number of the one that runs."},
              "max_attempts": {
                "type": "integer",
                "description": "One more than the attempts spent when a job that was out of them has been retried by a person."
              },
              "timeout_seconds": {"type": "integer"},
              "cancel_grace_seconds": {"type": "integer"},
              "backoff": {"$ref": "#/components/schemas/Backoff"},
              "unique_key": {"type": ["string", "null"]},
              "concurrency_key": {"type": ["string", "null"]},
              "tags": {"type": "array", "items": {"type": "string"}},
              "created_at": {"$ref": "#/components/schemas/Instant"},
              "run_at": {
                "$ref": "#/components/schemas/Instant",
                "description": "When it may run, or might have run first."
              },
              "started_at": {"$ref": "#/components/schemas/OptionalInstant", "description": "Of the last attempt."},
              "finished_at": {"$ref": "#/components/schemas/OptionalInstant"},
              "trace_parent": {"type": ["string", "null"]},
              "teardown": {"description": "As it was given, byte for byte; null without one."},
              "worker": {
                "type": ["string", "null"], "description": "The name of the worker that has it, or had it at the end."
              },
              "lease_token": {
                "type": ["integer", "null"],
                "description": "Of the present lease. It only grows: effects can be made exactly-once with it."
              },
              "lease_expires_at": {"$ref": "#/components/schemas/OptionalInstant"},
              "progress": {
                "type": ["object", "null"],
                "description": "How far its handler last said that it was; null if it has not.",
                "required": ["percent", "message", "reported_at"],
                "properties": {
                  "percent": {"type": "integer", "minimum": 0, "maximum": 100},
                  "message": {"type": ["string", "null"]},
                  "reported_at": {"$ref": "#/components/schemas/Instant"}
                }
              },
              "result": {"description": "What the handler gave back; null without one."},
              "last_error": {"description": "Why the last failed attempt failed; null without one."}
            }
          },
          "Instant": {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC, with microseconds."},
          "OptionalInstant": {"type": ["string", "null"], "format": "date-time"},
          "Queue": {
            "type": "object",
            "required": [
              "name", "depth", "oldest_ready_seconds", "max_running", "max_running_per_key", "rate_limit", "retention"
            ],
            "properties": {
              "name": {"$ref": "#/components/schemas/Name"},
              "depth": {
                "type": "object",
                "description": "Jobs by status; ended ones are counted until retention removes them.",
                "required": ["scheduled", "queued", "running", "ending", "succeeded", "failed", "cancelled"],
                "additionalProperties": {"type": "integer"}
              },
              "oldest_ready_seconds": {
                "type": ["number", "null"],
                "description": "How long the oldest job that could run has been waiting; null when none waits."
              },
              "max_running": {"$ref": "#/components/schemas/QueueLimit"},
              "max_running_per_key": {"$ref": "#/components/schemas/QueueLimit"},
              "rate_limit": {"$ref": "#/components/schemas/RateLimit"},
              "retention": {"$ref": "#/components/schemas/Retention"}
            }
          },
          "QueueSettings": {
            "type": "object",
            "description": "null or missing: no limit.",
            "additionalProperties": false,
            "properties": {
              "max_running": {
                "$ref": "#/components/schemas/QueueLimit", "description": "So many of its jobs run at once, at most."
              },
              "max_running_per_key": {
                "$ref": "#/components/schemas/QueueLimit",
                "description": "So many of its jobs with one concurrency key run at once, at most."
              },
              "rate_limit": {"$ref": "#/components/schemas/RateLimit"},
              "retention": {"$ref": "#/components/schemas/Retention"}
            }
          },
          "QueueLimit": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000000},
          "RateLimit": {
            "type": ["object", "null"],
            "description": "So many of its jobs start in so many seconds, spread over them, but for `burst` at once.",
            "required": ["count", "per_seconds"],
            "additionalProperties": false,
            "properties": {
              "count": {"type": "integer", "minimum": 1, "maximum": 1000000},
              "per_seconds": {"type": "number", "minimum": 0.001, "maximum": 86400},
              "burst": {
                "$ref": "#/components/schemas/QueueLimit",
                "description": "By default as many as start in one second, and at least one."
              }
            }
          },
          "Retention": {
            "type": ["object", "null"],
            "description": "For how many hours its ended jobs are kept; null or missing: as long as the reaper keeps those of all queues.",
            "additionalProperties": false,
            "properties": {
              "succeeded_hours": {"$ref": "#/components/schemas/RetentionHours"},
              "failed_hours": {"$ref": "#/components/schemas/RetentionHours"},
              "cancelled_hours": {"$ref": "#/components/schemas/RetentionHours"}
            }
          },
          "RetentionHours": {"type": ["integer", "null"], "minimum": 0, "maximum": 87840},
          "Worker": {
            "type": "object",
            "required": [
              "incarnation", "name", "host", "version", "queues", "types", "concurrency", "running", "started_at", "heartbeat_at"
            ],
            "properties": {
              "incarnation": {
                "type": "string", "format": "uuid",
                "description": "One boot of one process. Names recur, incarnations never."
              },
              "name": {"type": "string"},
              "host": {"type": "string"},
              "version": {"type": "string"},
              "queues": {
                "type": ["array", "null"], "items": {"$ref": "#/components/schemas/Name"},
                "description": "That it takes jobs from; null: all."
              },
              "types": {
                "type": ["array", "null"], "items": {"type": "string"},
                "description": "That it has handlers for; `hook.*`: all that begin so. null: it has not said."
              },
              "concurrency": {"type": "integer", "description": "Jobs that it runs at once."},
              "running": {"type": "integer", "description": "Jobs that it ran at its last heartbeat."},
              "started_at": {"$ref": "#/components/schemas/Instant"},
              "heartbeat_at": {"$ref": "#/components/schemas/Instant"}
            }
          },
          "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status"],
            "properties": {
              "type": {"type": "string", "format": "uri-reference"},
              "title": {"type": "string"},
              "status": {"type": "integer", "minimum": 400, "maximum": 599},
              "detail": {"type": "string"},
              "errors": {
                "type": "array",
                "description": "Everything that is wrong with the input.",
                "items": {
                  "type": "object",
                  "required": ["detail"],
                  "properties": {
                    "pointer": {"type": "string", "description": "Where in the body (RFC 6901)."},
                    "parameter": {"type": "string", "description": "Which parameter of the query or path."},
                    "detail": {"type": "string"}
                  }
                }
              },
              "line": {"type": "integer"},
              "column": {"type": "integer"},
              "outcome": {"const": "unknown"},
              "job_status": {"$ref": "#/components/schemas/JobStatus"},
              "existing_job": {
                "type": "string", "format": "uuid", "description": "The other job that has the unique key of this one."
              },
              "changed": {"type": "integer", "description": "Jobs of a bulk operation that were changed before it failed."}
            }
          }
        }
        """#
}
