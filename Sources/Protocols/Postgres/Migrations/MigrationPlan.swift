public import Values

/// What must be done to bring a database to the state of the files. Pure: two lists in, one list or conflicts out.
public struct MigrationPlan: Sendable, Equatable {
    /// A file, with its SHA-256.
    public struct Available: Sendable, Equatable {
        public let file: MigrationFile
        public let checksum: [UInt8]
    }

    /// A row of `schema_migration`.
    public struct Applied: Sendable, Equatable {
        public let version: Int32
        public let name: String
        public let checksum: [UInt8]
        public let appliedAt: WallInstant
    }

    /// A reason to touch nothing.
    public enum Conflict: Sendable, Equatable, CustomStringConvertible {
        /// The file is not the one that was applied.
        case changed(file: String)
        /// It was applied, and is not among the files, which go further than it.
        case missing(version: Int32, name: String)
        /// The database is ahead of every file: it was migrated by a newer release.
        case newer(version: Int32, name: String, latestFile: Int32)
        /// It was never applied, though a later one was.
        case late(file: String, latestApplied: Int32)

        public var description: String {
            switch self {
            case .changed(let file):
                "\(file) was changed after it had been applied; add a new migration instead"
            case .missing(let version, let name):
                "the database has migration \(version) (\(name)), which is not among the files"
            case .newer(let version, let name, let latestFile):
                "the database is at migration \(version) (\(name)), newer than this release, which ends at \(latestFile)"
            case .late(let file, let latestApplied):
                "\(file) comes before migration \(latestApplied), which is applied already; give it a higher number"
            }
        }
    }

    /// Files to apply, in order.
    public let pending: [Available]
    /// What the database has, in order.
    public let applied: [Applied]

    /// - Throws: `MigrationError.refused` with every conflict there is.
    public init(available: [Available], applied: [Applied]) throws(MigrationError) {
        let available = available.sorted { $0.file.version < $1.file.version }
        let applied = applied.sorted { $0.version < $1.version }
        let latestFile = available.last?.file.version ?? 0
        let latestApplied = applied.last?.version ?? 0
        var conflicts: [Conflict] = []
        for row in applied {
            guard let file = available.first(where: { $0.file.version == row.version }) else {
                conflicts.append(
                    row.version > latestFile
                        ? .newer(version: row.version, name: row.name, latestFile: latestFile)
                        : .missing(version: row.version, name: row.name))
                continue
            }
            if file.checksum != row.checksum { conflicts.append(.changed(file: file.file.fileName)) }
        }
        let versions = Set(applied.map(\.version))
        let pending = available.filter { !versions.contains($0.file.version) }
        for file in pending where file.file.version < latestApplied {
            conflicts.append(.late(file: file.file.fileName, latestApplied: latestApplied))
        }
        guard conflicts.isEmpty else { throw .refused(conflicts) }
        self.pending = pending
        self.applied = applied
    }
}
