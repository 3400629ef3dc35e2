/// The members that an object may have. `Member` lists their names, in the order in which errors list them:
///
///     enum Member: String, CaseIterable { case kind, baseSeconds = "base_seconds" }
///     static let members = ObjectMembers<Member>(required: [.kind])
///
/// The same list drives the reading (`InputReader.object`), the check for missing members, and the suggestions for
/// unknown names. Make it once, as a `static let`.
public final class ObjectMembers<Member: CaseIterable & RawRepresentable & Hashable & Sendable>: Sendable
where Member.RawValue == String {
    @usableFromInline let cases: [Member]
    @usableFromInline let names: MemberNames

    /// - Parameters:
    ///   - required: an object without one of them is an error.
    ///   - excluded: members of `Member` that this object does not accept.
    ///   - reason: the error for an excluded member, for example `is not accepted in a teardown`.
    public init(required: Set<Member> = [], excluding excluded: Set<Member> = [], because reason: String = "") {
        precondition(excluded.isEmpty || !reason.isEmpty, "excluded members need a reason")
        cases = Array(Member.allCases)
        var names = MemberNames(names: cases.map(\.rawValue), excludedReason: reason)
        for (index, member) in cases.enumerated() {
            if required.contains(member) { names.required.insert(index) }
            if excluded.contains(member) { names.excluded.insert(index) }
        }
        self.names = names
    }
}

/// The members that an object had.
public struct FoundMembers<Member: CaseIterable & RawRepresentable & Hashable & Sendable>: Sendable
where Member.RawValue == String {
    @usableFromInline let indices: MemberIndices
    @usableFromInline let members: ObjectMembers<Member>

    @usableFromInline
    init(_ indices: MemberIndices, of members: ObjectMembers<Member>) {
        self.indices = indices
        self.members = members
    }

    @inlinable
    public func contains(_ member: Member) -> Bool {
        members.cases.firstIndex(of: member).map(indices.contains) ?? false
    }
}

/// Positions in a list of at most 64 members.
@usableFromInline
struct MemberIndices: Sendable {
    private var bits: UInt64 = 0

    @usableFromInline init() {}

    @usableFromInline
    func contains(_ index: Int) -> Bool { bits & (1 &<< UInt64(index)) != 0 }

    /// Whether `index` is new.
    @discardableResult
    mutating func insert(_ index: Int) -> Bool {
        let bit: UInt64 = 1 &<< UInt64(index)
        defer { bits |= bit }
        return bits & bit == 0
    }
}

/// The names of `ObjectMembers`, without its type parameter.
@usableFromInline
struct MemberNames: Sendable {
    let names: [String]
    let excludedReason: String
    var required = MemberIndices()
    var excluded = MemberIndices()

    init(names: [String], excludedReason: String) {
        precondition(names.count <= 64, "an object of more than 64 members")
        self.names = names
        self.excludedReason = excludedReason
    }

    /// The names that the object accepts.
    var accepted: [String] {
        names.indices.filter { !excluded.contains($0) }.map { names[$0] }
    }

    func index(of key: JSONKey) -> Int? {
        names.firstIndex { key == $0 }
    }
}
