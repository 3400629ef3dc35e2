/// The declared variables as text.
public enum SettingsTable {
    /// For `--help`: each variable with what it accepts, its default and its help.
    public static func help(_ declarations: [SettingDeclaration]) -> String {
        declarations.map { declaration in
            "  \(declaration.name)\n      \(declaration.help)\n      \(declaration.accepted); \(fallback(declaration))\n"
        }.joined()
    }

    /// For programs: a line for each variable, in five columns between tabs: name, `required` or `optional`, default
    /// (empty when there is none), what it accepts, help. A test compares it with the documentation and the manifests.
    public static func listing(_ declarations: [SettingDeclaration]) -> String {
        declarations.map { declaration in
            [
                declaration.name, declaration.isRequired ? "required" : "optional", declaration.defaultText ?? "",
                declaration.accepted, declaration.help,
            ].joined(separator: "\t") + "\n"
        }.joined()
    }

    private static func fallback(_ declaration: SettingDeclaration) -> String {
        if declaration.isRequired { return "required" }
        return declaration.defaultText.map { "default: \($0)" } ?? "not set by default"
    }
}
