import Testing

@testable import EventLoop

@Suite struct ProcessLimitTests {
    @Test func `at least one processor is usable`() {
        #expect(UsableProcessors.count() >= 1)
    }

    @Test(arguments: [
        ("max 100000\n", nil), ("200000 100000\n", 2), ("150000 100000\n", 2), ("50000 100000\n", 1),
        ("100000 100000", 1), ("", nil), ("0 100000", nil), ("9223372036854775807 1", Int.max),
    ])
    func `a CPU quota is rounded up to whole processors`(text: String, expected: Int?) {
        #expect(UsableProcessors.quota(text) == expected)
    }

    @Test func `the soft limit of descriptors is raised to the hard limit`() {
        let raised = ResourceLimits.raiseDescriptors()
        #expect(raised >= 1_024)
        #expect(ResourceLimits.raiseDescriptors() == raised)
    }
}
