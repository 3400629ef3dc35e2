extension OpenAPIDocument {
    /// Queues and workers.
    static let workerPaths = #"""
        "/api/queues": {
          "get": {
            "operationId": "listQueues",
            "tags": ["queues"],
            "summary": "List queues with what they hold",
            "description": "Every queue that has ever had a job or was told settings, by name. The figures are exact, and are sums: no job is counted for them.",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "responses": {
              "200": {
                "description": "All queues.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["queues"],
                      "properties": {
                        "queues": {"type": "array", "items": {"$ref": "#/components/schemas/Queue"}}
                      }
                    },
                    "example": {
                      "queues": [
                        {
                          "name": "default",
                          "depth": {
                            "scheduled": 3, "queued": 12, "running": 4, "ending": 0, "succeeded": 1204, "failed": 1,
                            "cancelled": 0
                          },
                          "oldest_ready_seconds": 0.182, "max_running": null, "max_running_per_key": 2,
                          "rate_limit": {"count": 100, "per_seconds": 60.0, "burst": 1},
                          "retention": {"succeeded_hours": 1, "failed_hours": null, "cancelled_hours": null}
                        }
                      ]
                    }
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
        "/api/queues/{name}": {
          "put": {
            "operationId": "configureQueue",
            "tags": ["queues"],
            "summary": "Tell a queue its limits and its retention",
            "description": "In place of all that it was told before; the queue is made if there is none. The limits hold for every lease that begins after the answer, and the jobs that run already count.",
            "parameters": [
              {
                "name": "name", "in": "path", "required": true,
                "description": "The queue, with `/` written as `%2F`.",
                "schema": {"$ref": "#/components/schemas/Name"}, "example": "mail"
              },
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": {"$ref": "#/components/schemas/QueueSettings"},
                  "example": {
                    "max_running": 20, "max_running_per_key": 2,
                    "rate_limit": {"count": 100, "per_seconds": 60, "burst": 10}, "retention": {"succeeded_hours": 1}
                  }
                }
              }
            },
            "responses": {
              "200": {
                "description": "The queue as it is now.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Queue"}}}
              },
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "413": {"$ref": "#/components/responses/TooLarge"},
              "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
              "422": {"$ref": "#/components/responses/InvalidInput"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/workers": {
          "get": {
            "operationId": "listWorkers",
            "tags": ["workers"],
            "summary": "List the workers that live",
            "description": "Those whose heartbeat has not run out, in the order in which they joined.",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "responses": {
              "200": {
                "description": "All living workers.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["workers"],
                      "properties": {
                        "workers": {"type": "array", "items": {"$ref": "#/components/schemas/Worker"}}
                      }
                    },
                    "example": {
                      "workers": [
                        {
                          "incarnation": "01a1f9d1-600b-7408-9921-518e3543629d", "name": "worker-0", "host": "worker-0",
                          "version": "0.1.0", "queues": null, "types": ["echo", "fail", "sleep", "hook.*"], "concurrency": 10, "running": 4,
                          "started_at": "2030-01-31T09:00:00.000000Z", "heartbeat_at": "2030-01-31T09:30:00.000000Z"
                        }
                      ]
                    }
                  }
                }
              },
              "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        }
        """#
}
