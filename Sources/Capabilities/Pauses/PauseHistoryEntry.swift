public import Postgres
internal import TLS
public import Values

/// A row of the history: one change.
public struct PauseHistoryEntry: Hashable, Sendable {
    public var version: Int64
    /// Text, so that an altered row can be read.
    public var scope: String
    public var isPause: Bool
    public var reason: String
    public var updatedBy: String
    public var at: WallInstant
    public var resumeAt: WallInstant?
    public var cancelsRunning: Bool
    public var clientAddress: String?
    public var requestID: String?
    public var previousHash: [UInt8]
    public var hash: [UInt8]

    /// The columns of `pause_history`, in the order of `init`.
    static let columns: SQLFragment = """
        version, scope, paused, reason, updated_by, at, resume_at, cancel_running, client_address, request_id,
        previous_hash, hash
        """

    /// The hash that the fields give: SHA-256 over the hash of the previous entry and the fields, each preceded by the
    /// length of its text, as `history_hash` computes it in PostgreSQL (`0010_pauses.sql`).
    public var expectedHash: [UInt8] {
        var bytes = previousHash
        Self.append(String(version), to: &bytes)
        Self.append(scope, to: &bytes)
        Self.append(isPause ? "true" : "false", to: &bytes)
        Self.append(reason, to: &bytes)
        Self.append(updatedBy, to: &bytes)
        Self.append(String(at.microseconds), to: &bytes)
        Self.append(resumeAt.map { String($0.microseconds) }, to: &bytes)
        Self.append(cancelsRunning ? "true" : "false", to: &bytes)
        Self.append(clientAddress, to: &bytes)
        Self.append(requestID, to: &bytes)
        return SHA256.digest(of: bytes).bytes
    }

    private static func append(_ field: String?, to bytes: inout [UInt8]) {
        let length = field.map { UInt32($0.utf8.count) } ?? .max
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        if let field { bytes.append(contentsOf: field.utf8) }
    }
}

extension PauseHistoryEntry: RowDecodable {
    /// A row of `columns`.
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        version = try columns.next()
        scope = try columns.next()
        isPause = try columns.next()
        reason = try columns.next()
        updatedBy = try columns.next()
        at = try columns.next()
        resumeAt = try columns.next()
        cancelsRunning = try columns.next()
        clientAddress = try columns.next()
        requestID = try columns.next()
        previousHash = try columns.next()
        hash = try columns.next()
    }
}

/// A place where the history was altered.
public struct HistoryFault: Hashable, Sendable {
    public let version: Int64
    public let description: String
}

/// The last entry of a history as it once was, kept where those who can change the history cannot: `7:5f1c...`, the
/// version and the hash in hexadecimal digits.
///
/// The hash depends on all entries before. So a history that has this entry is, up to it, the one of that time, even if
/// somebody could rewrite every row with fitting hashes.
public struct HistoryHead: Hashable, Sendable, CustomStringConvertible {
    public let version: Int64
    public let hash: [UInt8]

    public init(version: Int64, hash: [UInt8]) {
        self.version = version
        self.hash = hash
    }

    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, let version = Int64(String(decoding: parts[0], as: UTF8.self)), version > 0,
            parts[1].count == 64
        else { return nil }
        var hash: [UInt8] = []
        var digits = parts[1]
        while let high = digits.popFirst(), let low = digits.popFirst() {
            guard let upper = Hexadecimal.value(high), let lower = Hexadecimal.value(low) else { return nil }
            hash.append(upper << 4 | lower)
        }
        self.init(version: version, hash: hash)
    }

    public var description: String { "\(version):\(Hexadecimal.text(hash))" }
}

/// Follows the chain of the history from its first entry to its last.
public struct HistoryCheck: Sendable {
    private let known: HistoryHead?
    private var hasKnown = false
    private var lastVersion: Int64 = 0
    private var lastHash = [UInt8](repeating: 0, count: 32)
    public private(set) var count = 0
    public private(set) var faults: [HistoryFault] = []

    /// - Parameter known: what the history must contain.
    public init(containing known: HistoryHead? = nil) {
        self.known = known
    }

    /// The last entry; nil: there is none.
    public var head: HistoryHead? { count == 0 ? nil : HistoryHead(version: lastVersion, hash: lastHash) }

    /// The next entry, in the order of the versions.
    public mutating func add(_ entry: PauseHistoryEntry) {
        count += 1
        if entry.version != lastVersion + 1 {
            let missing = entry.version - lastVersion - 1
            note(entry, missing > 0 ? "the \(missing) entries before it are missing" : "its version is out of order")
        }
        if entry.previousHash != lastHash { note(entry, "its previous_hash is not the hash of the entry before it") }
        if entry.expectedHash != entry.hash { note(entry, "its hash is not that of its fields") }
        if let known, known.version == entry.version {
            hasKnown = true
            if known.hash != entry.hash {
                note(entry, "its hash is not the one that was kept: the history was rewritten")
            }
        }
        lastVersion = entry.version
        lastHash = entry.hash
    }

    /// Call it after the last entry.
    ///
    /// - Parameter newestVersion: the highest version of the scopes.
    public mutating func end(newestVersion: Int64) {
        if let known, !hasKnown {
            faults.append(
                HistoryFault(version: known.version, description: "it was kept as the head, but the history lacks it"))
        }
        if newestVersion != lastVersion {
            faults.append(
                HistoryFault(
                    version: newestVersion,
                    description: "a scope has this version, but the history ends with version \(lastVersion)"))
        }
    }

    private mutating func note(_ entry: PauseHistoryEntry, _ description: String) {
        faults.append(HistoryFault(version: entry.version, description: description))
    }
}
