internal import Postgres

/// The parts that statements on given jobs share.
enum NamedJobs {
    /// The jobs of the array `$1` that exist, in the order of their ids: `id`, `subqueue_id`.
    static let rows: SQLFragment = """
        SELECT j.id, j.subqueue_id
        FROM unnest($1::uuid[]) AS g (id)
        JOIN job j ON j.id = ANY (ARRAY[g.id])
        ORDER BY g.id
        """

    /// Deletes the rows of the jobs of the CTE `named` from `ready` or `scheduled`. `subqueue_id` finds the row, and
    /// spares an index on the id alone. Rows are looked up apart from the deletion (`OFFSET 0`), since after a VACUUM
    /// of empty tables every index that can answer a join seems as good as the right one.
    static func deletion(from table: SQLFragment) -> SQLFragment {
        """
        DELETE FROM \(sql: table) WHERE ctid = ANY (ARRAY(
            SELECT w.at FROM named n
            CROSS JOIN LATERAL (
                SELECT ctid AS at FROM \(sql: table) WHERE subqueue_id = n.subqueue_id AND id = n.id OFFSET 0) w))
        """
    }
}
