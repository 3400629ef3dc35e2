internal import Glibc
internal import Testing

/// `make unit` runs the tests that need neither a PostgreSQL server nor one of our programs. TestKit is the only way to
/// both, so the choice is made there, when a test asks for one: no test is marked, and no list has to be kept.
enum UnitTests {
    /// Set by `Scripts/unit.sh`.
    private static let isOn = getenv("JOBQUEUE_UNIT_TESTS") != nil

    /// Cancels the current test, without a failure, when only unit tests run.
    static func cancel(becauseOf need: String) throws {
        if isOn { try Test.cancel("needs \(need)") }
    }
}
