internal import Values

extension OpenAPIDocument {
    /// Creating and listing.
    static let jobPaths = #"""
        "/api/jobs": {
          "post": {
            "operationId": "createJob",
            "tags": ["jobs"],
            "summary": "Create a job",
            "description": "The answer is sent when the job is committed. A 503 with `outcome: unknown` means that PostgreSQL went away in the middle of the commit: the job may have been created.",
            "parameters": [
              {"$ref": "#/components/parameters/RequestID"},
              {"$ref": "#/components/parameters/IdempotencyKey"},
              {"$ref": "#/components/parameters/TraceParent"}
            ],
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": {"$ref": "#/components/schemas/NewJob"},
                  "examples": {
                    "atOnce": {
                      "summary": "To run at once",
                      "value": {"type": "echo", "payload": {"hello": "world"}}
                    },
                    "later": {
                      "summary": "To run later, with options",
                      "value": {
                        "type": "email.send", "queue": "mail", "payload": {"to": "ada@example.org"}, "priority": -10,
                        "run_at": "2030-01-31T09:30:00Z", "max_attempts": 5, "timeout_seconds": 60,
                        "backoff": {"kind": "exponential", "base_seconds": 2, "max_seconds": 600},
                        "tags": ["newsletter", "2030-01"]
                      }
                    }
                  }
                }
              }
            },
            "responses": {
              "200": {
                "description": "Its `unique_key` was taken: the job that has it. Nothing was created.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Job"},
                    "examples": {"existing": {"$ref": "#/components/examples/QueuedJob"}}
                  }
                }
              },
              "201": {
                "description": "The job is committed.",
                "headers": {
                  "Location": {
                    "description": "Where the job is found.",
                    "required": true,
                    "schema": {"type": "string", "format": "uri-reference"}
                  },
                  "X-Request-Id": {"$ref": "#/components/headers/RequestID"}
                },
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Job"},
                    "examples": {"created": {"$ref": "#/components/examples/QueuedJob"}}
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "409": {"$ref": "#/components/responses/KeyConflict"},
              "413": {"$ref": "#/components/responses/TooLarge"},
              "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
              "422": {"$ref": "#/components/responses/InvalidInput"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          },
          "get": {
            "operationId": "listJobs",
            "tags": ["jobs"],
            "summary": "List jobs, the newest first",
            "description": "Filters go together. A page may hold fewer jobs than `limit` while `next_cursor` is not null: large jobs fill it sooner.",
            "parameters": [
              {"$ref": "#/components/parameters/RequestID"},
              {
                "name": "status", "in": "query", "description": "Jobs in this status.",
                "schema": {"$ref": "#/components/schemas/JobStatus"}
              },
              {
                "name": "queue", "in": "query", "description": "Jobs of this queue.",
                "schema": {"$ref": "#/components/schemas/Name"}
              },
              {
                "name": "type", "in": "query", "description": "Jobs of this type.",
                "schema": {"$ref": "#/components/schemas/Name"}
              },
              {
                "name": "tag", "in": "query", "description": "Jobs that have this tag.",
                "schema": {"$ref": "#/components/schemas/Tag"}
              },
              {
                "name": "worker", "in": "query",
                "description": "Jobs that the worker with this name or incarnation runs now. Goes with the statuses `running` and `ending` only, and not with `tag`.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 256}
              },
              {
                "name": "since", "in": "query", "description": "Created at this instant or later.",
                "schema": {"type": "string", "format": "date-time"}
              },
              {
                "name": "until", "in": "query", "description": "Created before this instant.",
                "schema": {"type": "string", "format": "date-time"}
              },
              {
                "name": "limit", "in": "query", "description": "Jobs of the page at most.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
              },
              {
                "name": "cursor", "in": "query",
                "description": "The `next_cursor` of the page before, with the same filters. It has no meaning for clients.",
                "schema": {"type": "string", "pattern": "^1[0-9a-f]{32}$"}
              }
            ],
            "responses": {
              "200": {
                "description": "A page.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["jobs", "next_cursor"],
                      "properties": {
                        "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
                        "next_cursor": {
                          "type": ["string", "null"],
                          "description": "Leads to the next page; null on the last one."
                        }
                      }
                    },
                    "example": {"jobs": [], "next_cursor": null}
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/jobs/batch": {
          "post": {
            "operationId": "createJobs",
            "tags": ["jobs"],
            "summary": "Create up to 1,000 jobs, all or none",
            "description": "One transaction; a body of at most 8 MiB.",
            "parameters": [
              {"$ref": "#/components/parameters/RequestID"},
              {"$ref": "#/components/parameters/IdempotencyKey"},
              {"$ref": "#/components/parameters/TraceParent"}
            ],
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": {
                    "type": "object",
                    "required": ["jobs"],
                    "additionalProperties": false,
                    "properties": {
                      "jobs": {
                        "type": "array", "minItems": 1, "maxItems": 1000,
                        "items": {"$ref": "#/components/schemas/NewJob"}
                      }
                    }
                  },
                  "example": {"jobs": [{"type": "echo", "payload": 1}, {"type": "echo", "payload": 2}]}
                }
              }
            },
            "responses": {
              "201": {
                "description": "All jobs are committed.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["jobs"],
                      "properties": {
                        "jobs": {
                          "type": "array",
                          "description": "In the order of the request.",
                          "items": {
                            "type": "object",
                            "required": ["id", "existing"],
                            "properties": {
                              "id": {"type": "string", "format": "uuid"},
                              "existing": {
                                "type": "boolean",
                                "description": "Its `unique_key` was taken, also by one before it in the request: this is the job that has it."
                              }
                            }
                          }
                        }
                      }
                    },
                    "example": {
                      "jobs": [
                        {"id": "01a1f9d1-60c0-7624-a803-d5540538993a", "existing": false},
                        {"id": "01a1f9d1-60c0-763d-af52-7bebf5b9f157", "existing": false}
                      ]
                    }
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "409": {"$ref": "#/components/responses/KeyConflict"},
              "413": {"$ref": "#/components/responses/TooLarge"},
              "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
              "422": {"$ref": "#/components/responses/InvalidInput"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        }
        """#
}
