extension OpenAPIDocument {
    /// What is done with one job.
    static let oneJobPaths = #"""
        "/api/jobs/{id}": {
          "get": {
            "operationId": "showJob",
            "tags": ["jobs"],
            "summary": "Show a job",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "responses": {
              "200": {"$ref": "#/components/responses/Job"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownJob"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/jobs/{id}/cancel": {
          "post": {
            "operationId": "cancelJob",
            "tags": ["jobs"],
            "summary": "Cancel a job that waits or runs",
            "description": "A job that is `queued` or `scheduled` becomes `cancelled`. One that is `running` is asked to stop and is `ending` until its worker confirms: then it is `cancelled`, or `succeeded` if its work was done after all. One that is cancelled or ending already stays so, and the answer is the same.",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "requestBody": {"$ref": "#/components/requestBodies/Actor"},
            "responses": {
              "200": {"$ref": "#/components/responses/Job"},
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownJob"},
              "409": {"$ref": "#/components/responses/Conflict"},
              "413": {"$ref": "#/components/responses/TooLarge"},
              "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
              "422": {"$ref": "#/components/responses/InvalidInput"},
              "503": {"$ref": "#/components/responses/Unavailable"},
              "default": {"$ref": "#/components/responses/Error"}
            }
          }
        },
        "/api/jobs/{id}/retry": {
          "post": {
            "operationId": "retryJob",
            "tags": ["jobs"],
            "summary": "Send a failed or cancelled job back to its queue",
            "description": "It may run at once, with the attempts that are left and at least one.",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/RequestID"}
            ],
            "requestBody": {"$ref": "#/components/requestBodies/Actor"},
            "responses": {
              "200": {"$ref": "#/components/responses/Job"},
              "400": {"$ref": "#/components/responses/InvalidSyntax"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/UnknownJob"},
              "409": {"$ref": "#/components/responses/Conflict"},
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
