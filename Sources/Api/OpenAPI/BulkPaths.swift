extension OpenAPIDocument {
    /// Changing many jobs.
    static let bulkPaths = [
        path(
            "cancel", "Cancel many jobs",
            "Jobs that are `queued`, `scheduled` or `running` and match the filter, the newest first, in batches of 500 that are a transaction each. Those that run are asked to stop.",
            statuses: #""queued", "scheduled", "running""#, member: "",
            example: #"{"filter": {"queue": "mail", "tag": "newsletter"}, "dry_run": true}"#),
        path(
            "retry", "Send many jobs back to their queues",
            "Jobs that are `failed` or `cancelled` and match the filter, the newest first, in batches of 500 that are a transaction each.",
            statuses: #""failed", "cancelled""#,
            member: #"""
                "rate_per_second": {
                  "type": "number", "minimum": 0.01, "maximum": 10000,
                  "description": "So many of them may run in a second: each waits, `scheduled`, for its time. By default all may run at once."
                },

                """#,
            example:
                #"{"filter": {"status": "failed", "type": "email.send"}, "rate_per_second": 5, "reason": "the relay is back"}"#
        ),
    ].joined(separator: ",\n")

    private static func path(
        _ verb: String, _ summary: String, _ description: String, statuses: String, member: String, example: String
    ) -> String {
        #"""
        "/api/jobs/\#(verb)": {
          "post": {
            "operationId": "\#(verb)Jobs",
            "tags": ["jobs"],
            "summary": "\#(summary)",
            "description": "\#(description)",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": {
                    "type": "object",
                    "required": ["filter"],
                    "additionalProperties": false,
                    "properties": {
                      "filter": {
                        "description": "All criteria go together, but `ids` not with `tag`.",
                        "allOf": [{"$ref": "#/components/schemas/JobFilter"}],
                        "properties": {"status": {"enum": [\#(statuses)]}}
                      },
                      \#(member)"limit": {
                        "type": "integer", "minimum": 1, "maximum": 10000, "default": 1000,
                        "description": "At most so many jobs."
                      },
                      "dry_run": {
                        "type": "boolean", "default": false, "description": "Only say which jobs are meant."
                      },
                      "reason": {"type": "string", "minLength": 1, "maxLength": 1000},
                      "updated_by": {"type": "string", "minLength": 1, "maxLength": 255}
                    }
                  },
                  "example": \#(example)
                }
              }
            },
            "responses": {
              "200": {"$ref": "#/components/responses/BulkReport"},
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
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

    static let bulkSchemas = #"""
          "JobFilter": {
            "type": "object",
            "minProperties": 1,
            "properties": {
              "status": {"type": "string", "description": "Only this one of the statuses that can be changed so."},
              "queue": {"$ref": "#/components/schemas/Name"},
              "type": {"$ref": "#/components/schemas/Name"},
              "tag": {"$ref": "#/components/schemas/Tag"},
              "since": {"type": "string", "format": "date-time", "description": "Created at this instant or later."},
              "until": {"type": "string", "format": "date-time", "description": "Created before this instant."},
              "ids": {
                "type": "array", "minItems": 1, "maxItems": 10000, "items": {"type": "string", "format": "uuid"}
              }
            },
            "additionalProperties": false
          },
          "BulkReport": {
            "type": "object",
            "required": ["matched", "changed", "dry_run", "more", "ids"],
            "properties": {
              "matched": {"type": "integer", "description": "Jobs that were meant, up to the limit."},
              "changed": {
                "type": "integer",
                "description": "Those that were changed; fewer, where jobs have moved meanwhile. 0 in a dry run."
              },
              "dry_run": {"type": "boolean"},
              "more": {"type": "boolean", "description": "Further jobs match, beyond the limit: ask again."},
              "ids": {
                "type": "array", "maxItems": 100, "items": {"type": "string", "format": "uuid"},
                "description": "The first 100 that were changed or, in a dry run, would be."
              }
            }
          },
        """#
}
