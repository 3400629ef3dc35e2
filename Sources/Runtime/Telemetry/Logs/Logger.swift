public import Values

/// Writes structured lines for one component, with the fields bound to it.
///
/// A value: pass it, copy it, bind more to it. When a level is off, neither the message nor the fields are evaluated.
/// No call ever waits for whoever reads the log.
public struct Logger: Sendable {
    public let component: String
    /// What is below it is not written.
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

    /// The same logger speaking for another component.
    public func component(_ name: String) -> Logger {
        Logger(component: name, level: level, bound: bound, sink: sink)
    }

    /// The same logger with more fields on each of its lines.
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

/// All that one line says.
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
