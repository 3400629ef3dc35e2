extension OpenAPIDocument {
    /// Pools of long-lived workloads.
    static let poolPaths = #"""
        "/api/pools": {
          "get": {
            "operationId": "listPools",
            "tags": ["pools"],
            "summary": "List the pools",
            "parameters": [{"$ref": "#/components/parameters/RequestID"}],
            "responses": {
              "200": {
                "description": "All pools, by name.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/json": {
                    "schema": {
                      "type": "object",
                      "required": ["pools"],
                      "properties": {"pools": {"type": "array", "items": {"$ref": "#/components/schemas/Pool"}}}
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
        "/api/pools/{name}": {
          "get": {
            "operationId": "showPool",
            "tags": ["pools"],
            "summary": "Show a pool and its members",
            \#(readParameters),
            "responses": {
              "200": {"$ref": "#/components/responses/Pool"},
              \#(readProblems)
            }
          },
          "put": {
            "operationId": "configurePool",
            "tags": ["pools"],
            "summary": "Tell a pool what it is to run",
            "description": "In place of all that it was told before; the pool is made if there is none. What is new is assigned at once if the pool is complete; what is not named any more stops. What is named in both goes on where it is.",
            \#(readParameters),
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": {"$ref": "#/components/schemas/PoolSettings"},
                  "example": {
                    "size": 3, "workloads": ["stream:a", "stream:b", "stream:c"], "handler": "stream",
                    "updated_by": "ada", "reason": "a third camera"
                  }
                }
              }
            },
            "responses": {
              "200": {"$ref": "#/components/responses/Pool"},
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "413": {"$ref": "#/components/responses/TooLarge"},
              "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
              "422": {"$ref": "#/components/responses/InvalidInput"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          },
          "delete": {
            "operationId": "removePool",
            "tags": ["pools"],
            "summary": "Remove a pool",
            "description": "Its workloads stop. It is not seen any more from the answer on. A pool that is made anew under the name waits for those that have not stopped yet.",
            \#(readParameters),
            "responses": {
              "204": {
                "description": "It is removed.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}}
              },
              \#(readProblems)
            }
          }
        },
        "/api/pools/{name}/assignments": {
          "get": {
            "operationId": "listAssignments",
            "tags": ["pools"],
            "summary": "List what runs where",
            "description": "Every workload of the pool, by name: whose it is, who holds it, and what its process does.",
            \#(readParameters),
            "responses": {
              "200": {
                "description": "All workloads.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PoolAssignments"}}}
              },
              \#(readProblems)
            }
          }
        },
        "/api/pools/{name}/config.yml": {
          "get": {
            "operationId": "showPoolConfig",
            "tags": ["pools"],
            "summary": "Show what each member has to run, as YAML",
            "description": "All members that live, and those to which something is assigned, each with the version of the pool at which its list changed last.",
            \#(readParameters),
            "responses": {
              "200": {
                "description": "The lists.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestID"}},
                "content": {
                  "application/yaml": {
                    "schema": {"type": "string"},
                    "example": "workloads:\n  swarm-worker-0:\n    jobs: [\"stream:a\"]\n    version: 3\n"
                  }
                }
              },
              \#(readProblems)
            }
          }
        }
        """#

    private static let readParameters = ##"""
        "parameters": [
              {"$ref": "#/components/parameters/PoolName"}, {"$ref": "#/components/parameters/RequestID"}
            ]
        """##

    private static let readProblems = ##"""
        "400": {"$ref": "#/components/responses/InvalidQuery"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownPool"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
        """##

    /// JSON Schema of what the paths above take and give. The bounds are those of `PoolLimits`, which a test compares.
    static let poolSchemas = #"""
          "PoolSize": {
            "description": "How many members it has, or `auto`: as many as are alive and contiguous from 0 for ten seconds.",
            "oneOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, {"const": "auto"}]
          },
          "PoolSettings": {
            "type": "object",
            "additionalProperties": false,
            "required": ["size", "workloads", "handler"],
            "properties": {
              "size": {"$ref": "#/components/schemas/PoolSize"},
              "workloads": {
                "type": "array", "maxItems": 1000, "uniqueItems": true,
                "description": "What is to run, each in one place at a time.",
                "items": {"$ref": "#/components/schemas/Name"}
              },
              "handler": {
                "$ref": "#/components/schemas/Name",
                "description": "The handler of the members' handlers files by whose program each workload runs."
              },
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
          "Pool": {
            "type": "object",
            "required": [
              "name", "size", "handler", "workloads", "version", "complete", "waiting_for_members", "effective_size", "members",
              "missing", "created_at", "updated_at", "updated_by", "reason"
            ],
            "properties": {
              "name": {"$ref": "#/components/schemas/Name"},
              "size": {"$ref": "#/components/schemas/PoolSize"},
              "handler": {"$ref": "#/components/schemas/Name"},
              "workloads": {
                "type": "array", "items": {"$ref": "#/components/schemas/Name"}, "description": "In order."
              },
              "version": {"type": "integer", "description": "Of the assignment: one more with each change."},
              "complete": {"type": "boolean", "description": "Every ordinal below `effective_size` is alive."},
              "waiting_for_members": {
                "type": "boolean",
                "description": "It waits for its members, and nothing is assigned: it never was complete, or had lost all of them."
              },
              "effective_size": {
                "type": "integer",
                "description": "Ordinals below it belong to the pool: `size`, or for `auto` as many as it was complete with; 0: it is not known yet."
              },
              "members": {"type": "array", "items": {"$ref": "#/components/schemas/PoolMember"}},
              "missing": {
                "type": "array", "items": {"type": "integer"},
                "description": "Ordinals below `effective_size` that nobody has."
              },
              "created_at": {"$ref": "#/components/schemas/Instant"},
              "updated_at": {"$ref": "#/components/schemas/Instant"},
              "updated_by": {"type": ["string", "null"]},
              "reason": {"type": ["string", "null"]}
            }
          },
          "PoolMember": {
            "type": "object",
            "required": ["ordinal", "name", "host", "incarnation", "state", "joined_at", "expires_at"],
            "properties": {
              "ordinal": {"type": "integer", "minimum": 0},
              "name": {"type": "string", "description": "In `config.yml`."},
              "host": {"type": "string"},
              "incarnation": {
                "type": "string", "format": "uuid", "description": "One boot of one worker, as in the list of workers."
              },
              "state": {
                "enum": ["alive", "leaving", "surplus"],
                "description": "`leaving`: it stops, and gives back what it has. `surplus`: its ordinal is not below `effective_size`."
              },
              "joined_at": {"$ref": "#/components/schemas/Instant"},
              "expires_at": {
                "type": "string", "format": "date-time", "description": "When it counts as dead unless it is heard of."
              }
            }
          },
          "PoolAssignments": {
            "type": "object",
            "required": ["pool", "version", "complete", "assignments"],
            "properties": {
              "pool": {"$ref": "#/components/schemas/Name"},
              "version": {"type": "integer"},
              "complete": {"type": "boolean"},
              "assignments": {"type": "array", "items": {"$ref": "#/components/schemas/PoolAssignment"}}
            }
          },
          "PoolAssignment": {
            "type": "object",
            "required": [
              "workload", "state", "ordinal", "member", "holder", "lease_token", "acquired_at", "lease_expires_at",
              "started_at", "restarts", "last_error", "last_error_at"
            ],
            "properties": {
              "workload": {"$ref": "#/components/schemas/Name"},
              "state": {
                "enum": ["unassigned", "waiting", "moving", "starting", "running", "backoff"],
                "description": "`unassigned`: the pool gathers its members. `waiting`: its owner has not taken it yet. `moving`: somebody else holds it still. `starting`, `running`. `backoff`: its process has ended, and is started again after a pause."
              },
              "ordinal": {"type": ["integer", "null"], "description": "Whose it is."},
              "member": {"type": ["string", "null"], "description": "The owner's name in `config.yml`."},
              "holder": {"type": ["integer", "null"], "description": "The ordinal that holds it; null: nobody does."},
              "lease_token": {"type": "integer", "description": "Of the latest lease: it only grows. 0: there was none."},
              "acquired_at": {"$ref": "#/components/schemas/OptionalInstant"},
              "lease_expires_at": {"$ref": "#/components/schemas/OptionalInstant"},
              "started_at": {"$ref": "#/components/schemas/OptionalInstant"},
              "restarts": {
                "type": "integer", "description": "How often its process was started again under the latest lease."
              },
              "last_error": {
                "type": ["string", "null"], "description": "How its process ended last, and the end of its standard error."
              },
              "last_error_at": {"$ref": "#/components/schemas/OptionalInstant"}
            }
          },
        """#
}
