internal import EventLoop

extension HandlerTable {
    /// The handlers of the types that run without a handlers file. A file may override them.
    static func builtIn(on loop: Loop) -> [String: any Handler] {
        ["echo": EchoHandler(), "sleep": SleepHandler(loop: loop), "fail": FailHandler()]
    }
}
