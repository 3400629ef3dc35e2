import Foundation
import JSON

/// `openapi.json` as it stands in the tree.
enum OpenAPIFile {
    static func bytes() throws -> [UInt8] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return Array(try Data(contentsOf: root.appending(path: "Sources/Api/OpenAPI/openapi.json")))
    }

    static func read() throws -> JSONValue {
        try JSONValue(parsing: try bytes())
    }
}

extension JSONValue {
    /// The strings of an array, in order.
    var strings: [String]? { array?.compactMap(\.string) }

    /// The names of an object's members, in order.
    var names: [String] { object?.map(\.name) ?? [] }
}
