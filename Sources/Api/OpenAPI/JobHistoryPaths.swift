extension OpenAPIDocument {
    /// What has become of one job, and what holds it back.
    static let storyPaths = #"""
        "/api/jobs/{id}/events": {
          "get": {
            "operationId": "listEvents",
            "tags": ["jobs"],
            "summary": "Every change of a job's state, in order",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/RequestID"},
              {
                "name": "limit", "in": "query", "description": "Events of the page at most.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}
              },
              {
                "name": "cursor", "in": "query",
                "description": "The `next_cursor` of the page before. It has no meaning for clients.",
                "schema": {"type": "string", "pattern": "^e[0-9]{1,9}$"}
              }
            ],
            "responses": {
              "200": {
                "description": "A page, the oldest first.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["events", "next_cursor"],
                      "properties": {
                        "events": {"type": "array", "items": {"$ref": "#/components/schemas/JobEvent"}},
                        "next_cursor": {
                          "type": ["string", "null"],
                          "description": "Leads to the next page; null on the last one."
                        }
                      }
                    },
                    "example": {
                      "events": [
                        {
                          "at": "2030-01-31T09:30:00.820839Z", "from": null, "to": "queued", "transition": "enqueued",
                          "attempt": 0, "worker": null, "actor": null, "reason": null
                        },
                        {
                          "at": "2030-01-31T09:30:02.119325Z", "from": "queued", "to": "cancelled",
                          "transition": "cancelled_queued", "attempt": 0, "worker": null, "actor": "ada", "reason": "not needed"
                        }
                      ],
                      "next_cursor": null
                    }
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownJob"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/jobs/{id}/why": {
          "get": {
            "operationId": "explainWait",
            "tags": ["jobs"],
            "summary": "Why a job is not running",
            "description": "Every reason that holds the job back at this instant. Without them the next lease takes it.",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "responses": {
              "200": {
                "description": "All reasons; at least one.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["id", "status", "reasons"],
                      "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "status": {"$ref": "#/components/schemas/JobStatus"},
                        "reasons": {
                          "type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/WaitReason"}
                        }
                      }
                    },
                    "example": {
                      "id": "01a1f9d1-600b-7408-9921-518e3543629d", "status": "queued",
                      "reasons": [
                        {
                          "code": "queue_full",
                          "detail": "the queue mail runs as many jobs as it may: 1 (max_running)", "max_running": 1,
                          "jobs": ["01a1f9d1-60c0-7624-a803-d5540538993a"]
                        },
                        {"code": "jobs_ahead", "detail": "jobs that go before it, by priority or age: 12", "count": 12}
                      ]
                    }
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownJob"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        }
        """#

    static let storySchemas = #"""
          "JobEvent": {
            "type": "object",
            "required": ["at", "from", "to", "transition", "attempt", "worker", "actor", "reason"],
            "properties": {
              "at": {"$ref": "#/components/schemas/Instant"},
              "from": {
                "description": "null: the job was created.",
                "anyOf": [{"$ref": "#/components/schemas/JobStatus"}, {"type": "null"}]
              },
              "to": {"$ref": "#/components/schemas/JobStatus"},
              "transition": {"type": "string", "description": "How it went; the table `state_machine` says what each one means."},
              "attempt": {
                "type": "integer",
                "description": "Attempts spent after the transition, or the number of the one that begins with it."
              },
              "worker": {"type": ["string", "null"], "description": "The worker that took the job, or had it."},
              "actor": {
                "type": ["string", "null"],
                "description": "Who wanted it, if not the worker: `updated_by` of the request, or `api`; `reaper`."
              },
              "reason": {
                "type": ["string", "null"], "description": "What the actor gave, or why the attempt failed."
              }
            }
          },
          "WaitReason": {
            "type": "object",
            "required": ["code", "detail"],
            "properties": {
              "code": {
                "description": "`next`: nothing holds it back.",
                "enum": [
                  "running", "ending", "ended", "scheduled", "paused", "queue_full", "rate_reached", "key_full",
                  "no_worker_for_queue", "no_worker_for_type", "workers_busy", "jobs_ahead", "fairness_keys", "next"
                ]
              },
              "detail": {"type": "string", "description": "The same for people."},
              "worker": {"type": ["string", "null"], "description": "`running`, `ending`: that has it."},
              "since": {"$ref": "#/components/schemas/Instant"},
              "at": {"$ref": "#/components/schemas/Instant"},
              "run_at": {"$ref": "#/components/schemas/Instant"},
              "next_start": {"$ref": "#/components/schemas/Instant"},
              "scope": {"type": "string", "description": "`paused`: of which; with the next members, who did it and why."},
              "version": {"type": "integer"},
              "updated_by": {"type": "string"},
              "reason": {"type": "string"},
              "resume_at": {"type": ["string", "null"], "format": "date-time"},
              "max_running": {"type": "integer"},
              "max_running_per_key": {"type": "integer"},
              "concurrency_key": {"type": "string"},
              "jobs": {
                "type": "array", "maxItems": 10, "items": {"type": "string", "format": "uuid"},
                "description": "`queue_full`, `key_full`: jobs that run, and hold what this one waits for; ten at most."
              },
              "workers": {
                "type": "integer",
                "description": "`no_worker_for_type`: so many take its queue. `workers_busy`: so many take it."
              },
              "count": {
                "type": "integer",
                "description": "`jobs_ahead`: so many go before it; 10001 means more than 10000. `fairness_keys`: other concurrency keys, or other jobs that fairness_group with them."
              }
            }
          },
        """#
}
