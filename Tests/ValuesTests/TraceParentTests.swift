import Testing
import Values

struct TraceParentTests {
    private let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func `a valid traceparent is parsed and written unchanged`() throws {
        let parent = try #require(TraceParent(parsing: text))
        #expect(parent.description == text)
        #expect(parent.traceIdentifier == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(parent.isSampled)
    }

    @Test func `a child has the trace of its parent and a new span`() throws {
        let parent = try #require(TraceParent(parsing: text))
        let child = parent.child()
        #expect(child.traceIdentifier == parent.traceIdentifier)
        #expect(child.isSampled)
        #expect(child.span != parent.span)
    }

    @Test func `a new traceparent can be parsed`() {
        for number in 0..<100 {
            let new = TraceParent.new(isSampled: number.isMultiple(of: 2))
            #expect(TraceParent(parsing: new.description) == new)
        }
    }

    @Test func `a later version is parsed as far as it is known`() {
        #expect(TraceParent(parsing: "cc" + text.dropFirst(2))?.description == text)
        #expect(TraceParent(parsing: "cc" + text.dropFirst(2) + "-what-comes")?.description == text)
        #expect(TraceParent(parsing: "cc" + text.dropFirst(2) + ".what-comes") == nil)
    }

    @Test func `unknown flags are dropped`() {
        #expect(TraceParent(parsing: text.dropLast(2) + "ff")?.description == text)
        #expect(TraceParent(parsing: text.dropLast(2) + "fe")?.description == text.dropLast(2) + "00")
    }

    @Test(arguments: [
        "", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ])
    func `an invalid traceparent is ignored`(text: String) {
        #expect(TraceParent(parsing: text) == nil)
    }
}
