public import Configuration
public import Telemetry

/// The variables LOG_LEVEL and LOG_FORMAT.
public struct LogSettings: Sendable {
    private enum Form: String, CaseIterable {
        case json, console
    }

    /// Lines below this level are not written.
    public let level: LogLevel
    /// The console format is coloured when standard output is a terminal.
    public let format: LogFormat

    public init(reading settings: inout SettingsReader) {
        level = settings.enumeration("LOG_LEVEL", default: .info, help: "Lines below this level are not written.")
        let form: Form = settings.enumeration(
            "LOG_FORMAT", default: .json, help: "json: one JSON object per line. console: lines for people.")
        format = form == .json ? .json : .console()
    }
}
