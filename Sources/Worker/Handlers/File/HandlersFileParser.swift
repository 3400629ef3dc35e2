internal import HTTP
internal import JSON
internal import Jobs

/// Reads a handlers file, and collects all its errors with their places.
struct HandlersFileParser {
    private(set) var problems: [HandlersFileProblem] = []
    let directory: String
    let worker: HandlerDependencies
    var reader: JSONReader
    /// The client of all webhooks of the file; nil before the first one.
    var webhookClient: Client?

    init(_ bytes: [UInt8], directory: String, worker: HandlerDependencies) {
        reader = JSONReader(bytes)
        self.directory = directory
        self.worker = worker
    }

    /// The handlers of the file. Valid only if `problems` is empty.
    mutating func parse() -> [HandlerTable.Name: any Handler] {
        var handlers: [HandlerTable.Name: any Handler] = [:]
        do throws(JSONError) {
            try readFile(into: &handlers)
        } catch {
            switch error {
            case .syntax(let error): add(error.message, at: error.position)
            case .type(let error): add("\(error)", at: reader.position(of: error.offset))
            }
        }
        return handlers
    }

    private mutating func readFile(into handlers: inout [HandlerTable.Name: any Handler]) throws(JSONError) {
        var isFound = false
        let start = try nextOffset()
        try readObject(known: ["handlers"]) { parser, key throws(JSONError) in
            isFound = true
            try parser.readHandlers(into: &handlers)
        }
        try reader.finish()
        if !isFound, problems.isEmpty { add("the member \"handlers\" is missing", at: start) }
    }

    private mutating func readHandlers(into handlers: inout [HandlerTable.Name: any Handler]) throws(JSONError) {
        guard try collectingTypeError({ reader throws(JSONError) in try reader.beginObject() }) != nil else { return }
        var seen = JSONNameSet()
        while let key = try reader.nextMember() {
            let name = handlerName(key)
            if !seen.insert(key) { add("\"\(key)\" is a duplicate: the name already has a handler", at: key.offset) }
            let handler = try readHandler()
            if let name, let handler { handlers[name] = handler }
        }
    }

    /// A type, or a prefix of types followed by `*`.
    private mutating func handlerName(_ key: JSONKey) -> HandlerTable.Name? {
        let text = key.text
        if TextRule.name.accepts(text) { return .type(text) }
        if text == "*" { return .prefix("") }
        if text.utf8.last == UInt8(ascii: "*"), TextRule.name.accepts(String(text.dropLast())) {
            return .prefix(String(text.dropLast()))
        }
        add(
            "\"\(text)\" is not a job type: must be 1 to \(JobLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / "
                + "-, but not . or .., with * only at the end",
            at: key.offset)
        return nil
    }

    /// The kind of a handler determines its other members, and may come after them. So a first pass finds the kind.
    private mutating func readHandler() throws(JSONError) -> (any Handler)? {
        let start = try nextOffset()
        var ahead = reader
        guard try collectingTypeError({ reader throws(JSONError) in try reader.beginObject() }) != nil else {
            return nil
        }
        reader = ahead
        try ahead.beginObject()
        var kinds: [String] = []
        while let key = try ahead.nextMember() {
            if key == "exec" { kinds.append("exec") }
            if key == "http" { kinds.append("http") }
        }
        switch kinds {
        case ["exec"]: return try readExecHandler()
        case ["http"]: return try readWebhookHandler()
        default:
            add("a handler must have either \"exec\" or \"http\"", at: start)
            try reader.skipValue()
            return nil
        }
    }

    // MARK: Values of any kind

    mutating func add(_ message: String, at offset: Int) {
        add(message, at: reader.position(of: offset))
    }

    private mutating func add(_ message: String, at position: JSONPosition) {
        let place = HandlersFileProblem.Place(line: position.line, column: position.column)
        problems.append(HandlersFileProblem(place: place, message: message))
    }

    /// The offset of the next value.
    func nextOffset() throws(JSONError) -> Int {
        var ahead = reader
        return try ahead.skipValue().lowerBound
    }

    /// The result of `read`; nil after a type error, which is added to the problems.
    mutating func collectingTypeError<Value>(
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value? {
        do throws(JSONError) {
            return try read(&reader)
        } catch .type(let error) {
            add("\(error)", at: error.offset)
            return nil
        }
    }

    /// Reads an object member by member. Unknown and duplicate members are errors.
    mutating func readObject(
        known: [String], _ member: (inout HandlersFileParser, JSONKey) throws(JSONError) -> Void
    ) throws(JSONError) {
        guard try collectingTypeError({ reader throws(JSONError) in try reader.beginObject() }) != nil else { return }
        var seen = JSONNameSet()
        while let key = try reader.nextMember() {
            if !seen.insert(key) {
                add("\"\(key)\" is a duplicate member", at: key.offset)
            } else if !known.contains(where: { key == $0 }) {
                add("\"\(key)\" is not a known member; known are \(known.joined(separator: ", "))", at: key.offset)
            } else {
                try member(&self, key)
            }
        }
    }

    /// A string without NUL characters, which neither a path nor an argument can contain.
    mutating func readText() throws(JSONError) -> String? {
        let start = try nextOffset()
        guard let text = try collectingTypeError({ reader throws(JSONError) in try reader.readString() }) else {
            return nil
        }
        guard !text.utf8.contains(0) else {
            add("must not contain a NUL character", at: start)
            return nil
        }
        return text
    }

    /// When jobs of this handler are taken over after the death of the worker.
    mutating func readTakeover() throws(JSONError) -> Takeover {
        let start = try nextOffset()
        guard let text = try readText() else { return .heartbeat }
        guard let takeover = Takeover(rawValue: text) else {
            add("must be one of \(Takeover.allCases.map(\.rawValue).joined(separator: ", "))", at: start)
            return .heartbeat
        }
        return takeover
    }

    /// A number of seconds within `range`.
    mutating func readSeconds(_ range: ClosedRange<Double>) throws(JSONError) -> Duration? {
        let start = try nextOffset()
        guard let seconds = try collectingTypeError({ reader throws(JSONError) in try reader.readDouble() }) else {
            return nil
        }
        guard range.contains(seconds) else {
            add("must be a number of seconds from \(range.lowerBound) to \(range.upperBound)", at: start)
            return nil
        }
        return .seconds(seconds)
    }
}
