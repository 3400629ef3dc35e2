/// The description of the API for programs (OpenAPI 3.1): `openapi.json` beside this file, byte for byte. The build
/// plugin `EmbedOpenAPI` makes the constant `text` from it.
enum OpenAPIDocument {
    /// UTF-8.
    static let bytes = Array(text.utf8)
}
