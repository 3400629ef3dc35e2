public import Values

/// Writes structured log lines for one component, with a set of bound fields.
///
/// A logger is a value that can be copied and extended with further fields. The message and the fields of a disabled
/// level are not evaluated. Calls do not wait for the reader of the log.
public struct Logger: Sendable {
    public let component: String
    /// Minimum level of written lines.
    public let level: LogLevel
    private let bound: LogFields
    private let sink: any LogSink

    public init(component: String, level: LogLevel, sink: any LogSink) {
        self.init(component: component, level: level, bound: LogFields(), sink: sink)
    }

    private init(component: String, level: LogLevel, bound: LogFields, sink: any LogSink) {
        self.component = component
        self.level = level
        self.bound = bound
        self.sink = sink
    }

    /// A copy for another component.
    public func component(_ name: String) -> Logger {
        Logger(component: name, level: level, bound: bound, sink: sink)
    }

    /// A copy with further fields on each line.
    public func with(_ fields: LogFields) -> Logger {
        Logger(component: component, level: level, bound: bound.merged(with: fields), sink: sink)
    }

    public func trace(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = LogFields()) {
        log(.trace, message(), fields())
    }

    public func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = LogFields()) {
        log(.debug, message(), fields())
    }

    public func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = LogFields()) {
        log(.info, message(), fields())
    }

    public func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = LogFields()) {
        log(.warning, message(), fields())
    }

    public func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = LogFields()) {
        log(.error, message(), fields())
    }

    public func log(
        _ level: LogLevel,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> LogFields = LogFields()
    ) {
        guard level >= self.level else { return }
        sink.accept(
            LogRecord(
                instant: .now(), level: level, component: component, message: message(),
                fields: bound.merged(with: fields())))
    }
}

/// The content of a log line.
public struct LogRecord: Sendable, Equatable {
    public let instant: WallInstant
    public let level: LogLevel
    public let component: String
    public let message: String
    public let fields: LogFields

    public init(instant: WallInstant, level: LogLevel, component: String, message: String, fields: LogFields) {
        self.instant = instant
        self.level = level
        self.component = component
        self.message = message
        self.fields = fields
    }
}
