/// Reads a JSON document from outside, checks it, and collects all of its errors, each with a JSON pointer (RFC 6901).
///
/// Each method reads the next value. It returns nil, and notes an error, if the value is of another kind or is not
/// accepted; it throws only a syntax error, after which nothing more can be read. Pointers are built only for errors.
///
///     let (rate, errors) = try InputReader.read(body) { input throws(JSONSyntaxError) in
///         var rate = Rate()
///         try input.object(Rate.members) { input, member throws(JSONSyntaxError) in
///             switch member {
///             case .count: rate.count = try input.integer(in: 1...1_000) ?? 0
///             case .perSeconds: rate.seconds = try input.number(in: 0.001...86_400) ?? 0
///             }
///         }
///         return rate
///     }
public struct InputReader: Sendable {
    var reader: JSONReader
    public internal(set) var errors = InputErrors()
    /// The value that is read, in its container.
    private var place = Place.document
    /// The containers around it, from the outermost member of the document on: empty for the members of the document,
    /// so that a flat document allocates nothing here.
    private var path: [Place] = []

    @usableFromInline
    enum Place: Sendable {
        case document
        case member(String)
        case element(Int)
    }

    public init(_ bytes: [UInt8]) {
        reader = JSONReader(bytes)
    }

    /// Reads a whole document. The value counts only if there are no errors.
    @inlinable
    public static func read<Value>(
        _ bytes: [UInt8], _ read: (inout InputReader) throws(JSONSyntaxError) -> Value
    ) throws(JSONSyntaxError) -> (value: Value, errors: InputErrors) {
        var input = InputReader(bytes)
        let value = try read(&input)
        try input.finish()
        return (value, input.errors)
    }

    /// Nothing but white space may follow the value.
    @usableFromInline
    mutating func finish() throws(JSONSyntaxError) {
        try noteSyntax { reader throws(JSONError) in try reader.finish() }
    }

    // MARK: Errors

    /// Notes an error of the value that is read, or was read last.
    public mutating func add(_ detail: @autoclosure () -> String) {
        errors.add(errors.isFull ? nil : InputError(pointer: pointer, detail: detail()))
    }

    /// Notes an error of a member of the object that is read, or was read last.
    public mutating func add(_ member: some RawRepresentable<String>, _ detail: @autoclosure () -> String) {
        add(name: member.rawValue, detail())
    }

    private mutating func add(name: String, _ detail: @autoclosure () -> String) {
        errors.add(errors.isFull ? nil : InputError(pointer: pointer.appending(name), detail: detail()))
    }

    private var pointer: JSONPointer {
        (path + [place]).reduce(.root) { pointer, place in
            switch place {
            case .document: pointer
            case .member(let name): pointer.appending(name)
            case .element(let index): pointer.appending(index)
            }
        }
    }

    // MARK: Containers

    /// Reads an object: `read` is called for each of its members, in their order in the document, and reads the value.
    /// Unknown, excluded, repeated and missing members are errors.
    ///
    /// - Returns: the members that the object has; nil if the value is no object.
    @discardableResult
    @inlinable
    public mutating func object<Member>(
        _ members: ObjectMembers<Member>,
        _ read: (inout InputReader, Member) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) -> FoundMembers<Member>? {
        guard try beginObject() else { return nil }
        let object = enter()
        var found = MemberIndices()
        while let index = try nextMember(of: members.names, found: &found) { try read(&self, members.cases[index]) }
        leave(for: object)
        noteMissing(members.names, found)
        return FoundMembers(found, of: members)
    }

    /// Reads an array: `read` is called for each of its elements. Those beyond `countRange` are only counted.
    ///
    /// - Parameters:
    ///   - countRange: the accepted number of elements.
    ///   - noun: names the elements in the error for another number: `jobs`.
    public mutating func array(
        _ countRange: ClosedRange<Int>, of noun: String,
        _ read: (inout InputReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        guard try note({ reader throws(JSONError) in try reader.beginArray() }) != nil else { return }
        let array = enter()
        var count = 0
        while try noteSyntax({ reader throws(JSONError) in try reader.nextElement() }) {
            place = .element(count)
            if count < countRange.upperBound { try read(&self) }
            count += 1
        }
        leave(for: array)
        guard !countRange.contains(count) else { return }
        let accepted = countRange.lowerBound == 0 ? "at most" : "\(countRange.lowerBound) to"
        add("has \(count) \(noun); \(accepted) \(countRange.upperBound) are accepted")
    }

    @usableFromInline
    mutating func beginObject() throws(JSONSyntaxError) -> Bool {
        try note { reader throws(JSONError) in try reader.beginObject() } != nil
    }

    /// The position in `names` of the next member that is to be read; nil at the end of the object.
    @usableFromInline
    mutating func nextMember(
        of names: MemberNames, found: inout MemberIndices
    ) throws(JSONSyntaxError) -> Int? {
        while let key = try noteSyntax({ reader throws(JSONError) in try reader.nextMember() }) {
            guard let index = names.index(of: key) else {
                let name = key.text
                place = .member(name)
                add(UnknownName.detail(of: name, kind: "member", known: names.accepted))
                continue
            }
            place = .member(names.names[index])
            if let exclusion = names.exclusions[index] {
                add(exclusion)
            } else if !found.insert(index) {
                add("appears more than once")
            } else {
                return index
            }
        }
        return nil
    }

    /// Begins a container at the place that is read, and returns that place.
    @usableFromInline
    mutating func enter() -> Place {
        if case .document = place { return place }
        path.append(place)
        return place
    }

    /// Ends the container that began at `container`.
    @usableFromInline
    mutating func leave(for container: Place) {
        if case .document = container {} else { path.removeLast() }
        place = container
    }

    @usableFromInline
    mutating func noteMissing(_ names: MemberNames, _ found: MemberIndices) {
        for index in names.names.indices where names.areRequired[index] && !found.contains(index) {
            add(name: names.names[index], "is required")
        }
    }

    // MARK: Reading

    /// The result of `read`; nil after noting that the value is of another kind.
    mutating func note<Value>(
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONSyntaxError) -> Value? {
        do throws(JSONError) {
            return try read(&reader)
        } catch {
            switch error {
            case .syntax(let error): throw error
            case .type(let error): add("must be \(error.expected), not \(error.found)")
            }
            return nil
        }
    }

    /// The result of `read`, which fails with a syntax error only.
    mutating func noteSyntax<Value>(
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONSyntaxError) -> Value {
        do throws(JSONError) {
            return try read(&reader)
        } catch {
            switch error {
            case .syntax(let error): throw error
            case .type(let error): preconditionFailure("a container does not end with a type error: \(error)")
            }
        }
    }
}
