import Foundation
import PackagePlugin

/// Makes a Swift source with the constant `OpenAPIDocument.text` from `OpenAPI/openapi.json` of a target, so that the
/// binary contains the document. The build runs it again when the document or the script has changed.
@main struct EmbedOpenAPI: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) -> [Command] {
        let script = context.package.directoryURL.appending(path: "Plugins/EmbedOpenAPI/embed.sh")
        let document = target.directoryURL.appending(path: "OpenAPI/openapi.json")
        let source = context.pluginWorkDirectoryURL.appending(path: "OpenAPIText.swift")
        return [
            .buildCommand(
                displayName: "Embedding openapi.json", executable: script,
                arguments: [document.path(percentEncoded: false), source.path(percentEncoded: false)],
                inputFiles: [script, document], outputFiles: [source])
        ]
    }
}
