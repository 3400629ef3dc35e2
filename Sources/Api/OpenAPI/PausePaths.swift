extension OpenAPIDocument {
    /// Pausing and resuming.
    static let controlPaths = [
        change("/api/worker/pause", "pauseWorkers", "Pause what workers take", "PauseRequest", scope: true),
        change("/api/worker/resume", "resumeWorkers", "Resume what workers take", "ResumeRequest", scope: true),
        change("/api/queues/{name}/pause", "pauseQueue", "Pause a queue", "QueuePauseRequest", scope: false),
        change("/api/queues/{name}/resume", "resumeQueue", "Resume a queue", "QueueResumeRequest", scope: false),
        readPaths,
    ].joined(separator: ",\n")

    private static let whenItHolds =
        "From the moment of the answer nothing of a paused scope is leased, whatever a worker knows; what runs goes on. It survives every restart. With `wait_seconds` the answer waits until every live worker has said that it has obeyed."

    /// - Parameter scope: whether the body names it; else the path does.
    private static func change(
        _ path: String, _ operation: String, _ summary: String, _ schema: String, scope: Bool
    ) -> String {
        let name = scope ? "" : ##"{"$ref": "#/components/parameters/QueueName"}, "##
        return #"""
            "\#(path)": {
              "post": {
                "operationId": "\#(operation)",
                "tags": ["control"],
                "summary": "\#(summary)",
                "description": "\#(whenItHolds)",
                "parameters": [\#(name){"$ref": "#/components/parameters/RequestID"}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/\#(schema)"},
                      "example": {"reason": "maintenance of the mail server", "updated_by": "ada", "wait_seconds": 10}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "Changed; with `wait_seconds`, every live worker has obeyed.",
                    "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PauseChange"}}}
                  },
                  "202": {
                    "description": "Changed, and it holds; some workers have not said so in time. They stand among `workers` with `acknowledged: false`.",
                    "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PauseChange"}}}
                  },
                  "409": {
                    "description": "The scope does not have the version that was expected; `state` is the one that it has. Nothing was changed.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "default": {"$ref": "#/components/responses/Error"}
                }
              }
            }
            """#
    }

    private static let readPaths = #"""
        "/api/worker/control-state": {
          "get": {
            "operationId": "showControlState",
            "tags": ["control"],
            "summary": "Show what is paused, and who has obeyed",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "responses": {
              "200": {
                "description": "Every scope that was ever changed, `all` first, and the live workers.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PauseStates"}}}
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/worker/control-history": {
          "get": {
            "operationId": "showControlHistory",
            "tags": ["control"],
            "summary": "List the changes, the latest first",
            "description": "Append-only. Each entry carries the SHA-256 over its predecessor's hash and its own fields; `jobqueue-api audit verify` follows the chain.",
            "parameters": [
              {"name": "scope", "in": "query", "description": "`all`, `queue:NAME` or `type:NAME`.", "schema": {"type": "string", "pattern": "^(all|(queue|type):[A-Za-z0-9._:/-]{1,128})$"}},
              {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}},
              {"name": "cursor", "in": "query", "description": "The `next_cursor` of an earlier answer.", "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}},
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "responses": {
              "200": {
                "description": "A page of changes.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ControlHistory"}}}
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        }
        """#

    /// JSON Schema of what the paths above take and give.
    static let controlSchemas = #"""
          "PauseScope": {
            "type": "string",
            "description": "`all`, `queue:NAME` or `type:NAME`.",
            "pattern": "^(all|(queue|type):[A-Za-z0-9._:/-]{1,128})$"
          },
        \#(request("PauseRequest", scope: true, pause: true)),
        \#(request("ResumeRequest", scope: true, pause: false)),
        \#(request("QueuePauseRequest", scope: false, pause: true)),
        \#(request("QueueResumeRequest", scope: false, pause: false)),
          "PauseState": {
            "type": "object",
            "required": ["scope", "version", "paused", "reason", "updated_by", "updated_at", "resume_at"],
            "properties": {
              "scope": {"$ref": "#/components/schemas/PauseScope"},
              "version": {"type": "integer", "description": "Of its last change, counted over all scopes; 0: it was never changed."},
              "paused": {"type": "boolean"},
              "reason": {"type": ["string", "null"]},
              "updated_by": {"type": ["string", "null"]},
              "updated_at": {"type": ["string", "null"], "format": "date-time"},
              "resume_at": {"type": ["string", "null"], "format": "date-time", "description": "When the pause ends by itself."}
            }
          },
          "PauseTestWorker": {
            "type": "object",
            "required": ["incarnation", "name", "acknowledged", "control_version", "running"],
            "properties": {
              "incarnation": {"type": "string", "format": "uuid"},
              "name": {"type": "string"},
              "acknowledged": {"type": "boolean", "description": "It has said that it has obeyed the version shown above."},
              "control_version": {"type": "integer", "description": "The latest that it has obeyed."},
              "running": {"type": "integer", "description": "Jobs that it ran when it was last heard of."}
            }
          },
          "PauseChange": {
            "allOf": [
              {"$ref": "#/components/schemas/PauseState"},
              {
                "type": "object",
                "required": ["acknowledged", "workers"],
                "properties": {
                  "cancelled": {"type": "integer", "description": "Running jobs that were asked to stop, with `cancel_running`."},
                  "acknowledged": {"type": "boolean", "description": "Every live worker has obeyed."},
                  "workers": {"type": "array", "items": {"$ref": "#/components/schemas/PauseTestWorker"}}
                }
              }
            ]
          },
          "PauseStates": {
            "type": "object",
            "required": ["version", "paused", "scopes", "acknowledged", "workers"],
            "properties": {
              "version": {"type": "integer"},
              "paused": {"type": "boolean", "description": "Everything is."},
              "scopes": {"type": "array", "items": {"$ref": "#/components/schemas/PauseState"}},
              "acknowledged": {"type": "boolean"},
              "workers": {"type": "array", "items": {"$ref": "#/components/schemas/PauseTestWorker"}}
            }
          },
          "ControlHistory": {
            "type": "object",
            "required": ["changes", "next_cursor"],
            "properties": {
              "changes": {
                "type": "array",
                "items": {
                  "type": "object",
                  "required": [
                    "version", "scope", "paused", "reason", "updated_by", "at", "resume_at", "cancel_running",
                    "client_address", "request_id", "previous_hash", "hash"
                  ],
                  "properties": {
                    "version": {"type": "integer"},
                    "scope": {"type": "string"},
                    "paused": {"type": "boolean"},
                    "reason": {"type": "string"},
                    "updated_by": {"type": "string"},
                    "at": {"type": "string", "format": "date-time"},
                    "resume_at": {"type": ["string", "null"], "format": "date-time"},
                    "cancel_running": {"type": "boolean"},
                    "client_address": {"type": ["string", "null"]},
                    "request_id": {"type": ["string", "null"]},
                    "previous_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"}
                  }
                }
              },
              "next_cursor": {"type": ["string", "null"]}
            }
          },
        """#

    private static func request(_ name: String, scope: Bool, pause: Bool) -> String {
        let scopeMember = ##""scope": {"$ref": "#/components/schemas/PauseScope", "default": "all"},"##
        let pauseMembers = ##"""
            "resume_at": {"type": "string", "format": "date-time", "description": "When the pause ends by itself."},
            "cancel_running": {"type": "boolean", "default": false, "description": "Jobs of the scope that run are asked to stop."},
            """##
        return #"""
              "\#(name)": {
                "type": "object",
                "additionalProperties": false,
                "required": ["reason", "updated_by"],
                "properties": {
                  \#(scope ? scopeMember : "")
                  \#(pause ? pauseMembers : "")
                  "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
                    "description": "Why. At most 1,000 bytes of UTF-8 without control characters."
                  },
                  "updated_by": {
                    "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
                    "description": "Who. At most 255 bytes of UTF-8 without control characters."
                  },
                  "expected_version": {
                    "type": "integer", "minimum": 0,
                    "description": "Change it only if the scope has this version; 0: if it was never changed."
                  },
                  "wait_seconds": {
                    "type": "integer", "minimum": 0, "maximum": 60, "default": 0,
                    "description": "For how long to wait until every live worker has obeyed."
                  }
                }
              }
            """#
    }
}
