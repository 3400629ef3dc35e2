/// The declared variables as text.
public enum SettingsTable {
    /// The text for `--help`: each variable with its help, accepted values and default.
    public static func help(_ declarations: [SettingDeclaration]) -> String {
        declarations.map { declaration in
            "  \(declaration.name)\n      \(declaration.help)\n      \(declaration.accepted); "
                + "\(fallback(declaration))\n"
        }.joined()
    }

    /// The text for programs: a line for each variable with five tab-separated columns: name, `required` or `optional`,
    /// default (may be empty), accepted values, help. A test compares it with the documentation and the manifests.
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
