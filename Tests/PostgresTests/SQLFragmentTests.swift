import Postgres
import Testing
import Values

@Suite struct SQLFragmentTests {
    @Test func `a fragment is its literal with the interpolated fragments`() {
        let table: SQLFragment = "job"
        let condition: SQLFragment = "\(sql: table).id = $1"
        let statement = Statement<UUID>("fragments", "SELECT '\\' FROM \(sql: table) WHERE \(sql: condition)")
        #expect(statement.definition.sql == #"SELECT '\' FROM job WHERE job.id = $1"#)
    }
}
