import Testing
import Values

@Suite struct FIFOTests {
    @Test func `elements leave in the order in which they came, across closed gaps`() {
        var queue = FIFO<Int>()
        var next = 0
        var expected = 0
        for round in 0..<200 {
            for _ in 0..<(round % 7 + 1) {
                queue.append(next)
                next += 1
            }
            for _ in 0..<(round % 5 + 1) where !queue.isEmpty {
                #expect(queue.first == expected)
                #expect(queue.popFirst() == expected)
                expected += 1
            }
            #expect(queue.count == next - expected)
        }
        while let element = queue.popFirst() {
            #expect(element == expected)
            expected += 1
        }
        #expect(expected == next)
        #expect(queue.isEmpty && queue.first == nil && queue.popFirst() == nil)
    }

    @Test func `an element in the middle can be changed and removed`() {
        var queue = FIFO<Int>()
        for number in 0..<5 { queue.append(number) }
        _ = queue.popFirst()
        queue[1] = 20
        #expect(queue.removeFirst { $0 == 20 } == 20)
        #expect(queue.removeFirst { $0 == 20 } == nil)
        #expect(queue.count == 3)
        #expect([queue.popFirst(), queue.popFirst(), queue.popFirst()] == [1, 3, 4])
    }
}
