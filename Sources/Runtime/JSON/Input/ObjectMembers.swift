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
    ///   - excluded: members of `Member` that this object does not accept, each with its error, for example
    ///     `is not accepted in a teardown`.
    public init(required: Set<Member> = [], excluding excluded: [Member: String] = [:]) {
        cases = Array(Member.allCases)
        names = MemberNames(
            names: cases.map(\.rawValue), areRequired: cases.map(required.contains),
            exclusions: cases.map { excluded[$0] })
    }

    /// For a form other than JSON: whether the member is required.
    public func requires(_ member: Member) -> Bool {
        cases.firstIndex(of: member).map { names.areRequired[$0] } ?? false
    }

    /// For a form other than JSON: the error for the member; nil if it is accepted.
    public func exclusion(of member: Member) -> String? {
        cases.firstIndex(of: member).flatMap { names.exclusions[$0] }
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
    let areRequired: [Bool]
    /// The errors for excluded members.
    let exclusions: [String?]

    init(names: [String], areRequired: [Bool], exclusions: [String?]) {
        precondition(names.count <= 64, "an object of more than 64 members")
        self.names = names
        self.areRequired = areRequired
        self.exclusions = exclusions
    }

    /// The names that the object accepts.
    var accepted: [String] {
        zip(names, exclusions).compactMap { name, exclusion in exclusion == nil ? name : nil }
    }

    func index(of key: JSONKey) -> Int? {
        names.firstIndex { key == $0 }
    }
}
