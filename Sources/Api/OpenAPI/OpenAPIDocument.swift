internal import Telemetry

/// The description of the API for programs (OpenAPI 3.1.0), put together from its parts, each of which is JSON.
///
/// A literal and not a file: the document is part of the program, which a test compares with the router.
enum OpenAPIDocument {
    /// UTF-8.
    static let bytes = Array(text.utf8)

    private static let text = #"""
        {
          "openapi": "3.1.0",
          "info": \#(info),
          "servers": [{"url": "/", "description": "This process."}],
          "tags": [
            {"name": "jobs", "description": "Create jobs, find them, cancel and retry them."},
            {"name": "queues", "description": "What waits where."},
            {"name": "workers", "description": "Who works."},
            {"name": "control", "description": "Pause and resume what workers take."},
            {"name": "pools", "description": "Long-lived workloads, shared out among an ordered set of workers."},
            {"name": "operations", "description": "Probes, metrics, and this document."}
          ],
          "security": [{"rootKey": []}],
          "paths": {
        \#([jobPaths, oneJobPaths, bulkPaths, storyPaths, workerPaths, controlPaths, poolPaths, probePaths].joined(separator: ",\n"))
          },
          "components": {
            "securitySchemes": {
              "rootKey": {
                "type": "http",
                "scheme": "bearer",
                "description": "The key that the process was started with (API_SECRET_KEY)."
              }
            },
            "parameters": \#(parameters),
            "headers": \#(headers),
            "requestBodies": \#(requestBodies),
            "examples": \#(examples),
            "responses": \#(responses),
            "schemas": \#(schemas)
          }
        }
        """#

    private static let info = #"""
        {
            "title": "jobqueue",
            "version": "\#(ProductVersion.text)",
            "summary": "A job queue that needs nothing but PostgreSQL.",
            "description": "A job whose creation was answered with 201 is committed, and is never lost. It runs at least once.\n\nErrors are problem documents (RFC 9457). Instants are RFC 3339 in UTC with microseconds. Unknown members and query parameters are errors.",
            "license": {"name": "MIT", "identifier": "MIT"}
          }
        """#
}
