public import Values

/// The migrations to apply to a database. Computed as a pure function of the files and the applied migrations.
public struct MigrationPlan: Sendable, Equatable {
    /// A file with its SHA-256.
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

    /// A contradiction between files and applied migrations. With a conflict nothing is changed.
    public enum Conflict: Sendable, Equatable, CustomStringConvertible {
        /// The contents of the file differ from those that were applied.
        case changed(file: String)
        /// An applied migration has no file, although later ones have.
        case missing(version: Int32, name: String)
        /// An applied migration is newer than every file: the database was migrated by a newer release.
        case newer(version: Int32, name: String, latestFile: Int32)
        /// A file was not applied, although a later one was.
        case late(file: String, latestApplied: Int32)

        public var description: String {
            switch self {
            case .changed(let file):
                "\(file) was changed after it was applied; add a new migration instead"
            case .missing(let version, let name):
                "the database has migration \(version) (\(name)), for which there is no file"
            case .newer(let version, let name, let latestFile):
                "the database is at migration \(version) (\(name)), newer than this release, which ends at "
                    + "\(latestFile)"
            case .late(let file, let latestApplied):
                "\(file) is numbered below migration \(latestApplied), which is already applied; give it a higher "
                    + "number"
            }
        }
    }

    /// Files to apply, in order.
    public let pending: [Available]
    /// Applied migrations, in order.
    public let applied: [Applied]

    /// - Throws: `MigrationError.refused` with all conflicts.
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
