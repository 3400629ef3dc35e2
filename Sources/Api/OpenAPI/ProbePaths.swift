extension OpenAPIDocument {
    /// For orchestrators, Prometheus and tools.
    static let probePaths = #"""
        "/health": {
          "get": {
            "operationId": "showHealth",
            "tags": ["operations"],
            "summary": "Tell that the process lives",
            "description": "It looks at nothing else: for liveness probes.",
            "security": [],
            "responses": {
              "200": {
                "description": "It lives.",
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["status"],
                      "properties": {"status": {"const": "ok"}}
                    },
                    "example": {"status": "ok"}
                  }
                }
              },
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/ready": {
          "get": {
            "operationId": "showReadiness",
            "tags": ["operations"],
            "summary": "Tell whether requests are welcome",
            "description": "PostgreSQL answers within 1 s, its schema is at least that of this release, and the process is not stopping.",
            "security": [],
            "responses": {
              "200": {
                "description": "They are.",
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["status", "schema_version", "paused"],
                      "properties": {
                        "status": {"const": "ready"},
                        "schema_version": {"type": "integer", "description": "The last migration of the database."},
                        "paused": {"type": "boolean", "description": "Workers take nothing: `GET /api/worker/control-state` says why."}
                      }
                    },
                    "example": {"status": "ready", "schema_version": 10, "paused": false}
                  }
                }
              },
              "503": {
                "description": "They are not, and why.",
                "headers": {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}},
                "content": {
                  "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": {
                      "type": "about:blank", "title": "Service Unavailable", "status": 503,
                      "detail": "PostgreSQL cannot be reached"
                    }
                  }
                }
              },
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/metrics": {
          "get": {
            "operationId": "showMetrics",
            "tags": ["operations"],
            "summary": "Metrics for Prometheus",
            "description": "The text format 0.0.4. Figures of the whole house come from PostgreSQL and are the same on every replica; `jobqueue_database_up` is 0 when they are missing.",
            "security": [],
            "responses": {
              "200": {
                "description": "The page.",
                "content": {
                  "text/plain": {
                    "schema": {"type": "string"},
                    "example": "# HELP job_created_total Jobs that were created.\n# TYPE job_created_total counter\njob_created_total{queue=\"default\"} 12\n"
                  }
                }
              },
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/openapi.json": {
          "get": {
            "operationId": "showOpenAPI",
            "tags": ["operations"],
            "summary": "This document",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "responses": {
              "200": {
                "description": "The document.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["openapi", "info", "paths"],
                      "properties": {"openapi": {"const": "3.1.0"}}
                    }
                  }
                }
              },
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        }
        """#
}
