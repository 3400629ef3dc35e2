import EventLoop
import Synchronization
import TestKit
import Testing

@testable import Jobs

@Suite struct GroupCommitTests {
    /// What the batches looked like.
    private final class Seen: Sendable {
        private struct State {
            var batches: [[Int]] = []
            var inFlight = 0
            var inFlightMost = 0
        }
        private let state = Mutex(State())

        func begin(_ batch: [Int]) {
            state.withLock { state in
                state.batches.append(batch)
                state.inFlight += 1
                state.inFlightMost = max(state.inFlightMost, state.inFlight)
            }
        }

        func end() {
            state.withLock { $0.inFlight -= 1 }
        }

        var batches: [[Int]] { state.withLock { $0.batches } }
        var inFlightMost: Int { state.withLock { $0.inFlightMost } }
    }

    /// Opened once, to let batches through.
    private final class Gate: Sendable {
        private let isOpen = Atomic(false)

        func open() { isOpen.store(true, ordering: .relaxed) }

        func wait() async {
            while !isOpen.load(ordering: .relaxed) { await Task.yield() }
        }
    }

    private func group(
        itemsMax: Int, weightMax: Int = .max, inFlightMax: Int = 2, seen: Seen, gate: Gate? = nil
    ) -> GroupCommit<Int, Int>.Submitter {
        let group = GroupCommit<Int, Int>(itemsMax: itemsMax, weightMax: weightMax, inFlightMax: inFlightMax)
        return submitter(to: group, seen: seen, gate: gate)
    }

    private func submitter(
        to group: GroupCommit<Int, Int>, on loop: Loop = TestLoop.shared, seen: Seen, gate: Gate? = nil
    ) -> GroupCommit<Int, Int>.Submitter {
        group.submitter(on: loop) { items in
            seen.begin(items)
            await gate?.wait()
            await Task.yield()
            seen.end()
            return items.map { $0 * 2 }
        }
    }

    /// Submits all numbers in one turn of the loop, and returns the answers in their places.
    private func submit(_ numbers: Range<Int>, to group: GroupCommit<Int, Int>.Submitter, weight: Int = 0) async
        -> [Int]
    {
        await withTaskGroup(of: (Int, Int).self) { tasks in
            for number in numbers {
                tasks.addTask { (number, await group.submit(number, weight: weight)) }
            }
            return await tasks.reduce(into: Array(repeating: -1, count: numbers.count)) { answers, answer in
                answers[answer.0 - numbers.lowerBound] = answer.1
            }
        }
    }

    @Test func `a single item does not wait`() async {
        let seen = Seen()
        let answer = await TestLoop.run { await group(itemsMax: 10, seen: seen).submit(21) }
        #expect(answer == 42)
        #expect(seen.batches == [[21]])
    }

    @Test func `items submitted in one turn of the loop share a batch, in order`() async {
        let seen = Seen()
        let answers = await TestLoop.run { await submit(0..<10, to: group(itemsMax: 10, seen: seen)) }
        #expect(answers == (0..<10).map { $0 * 2 })
        #expect(seen.batches == [Array(0..<10)])
    }

    @Test func `ten thousand items are answered each with its own, in batches within bounds`() async {
        let seen = Seen()
        let answers = await TestLoop.run { await submit(0..<10_000, to: group(itemsMax: 64, seen: seen)) }
        #expect(answers == (0..<10_000).map { $0 * 2 })
        #expect(seen.batches.allSatisfy { !$0.isEmpty && $0.count <= 64 })
        #expect(seen.batches.flatMap { $0 }.sorted() == Array(0..<10_000))
        #expect(seen.inFlightMost == 2)
    }

    @Test func `a batch is bounded by weight, but one heavy item passes alone`() async {
        let seen = Seen()
        _ = await TestLoop.run {
            let group = group(itemsMax: 100, weightMax: 10, inFlightMax: 1, seen: seen)
            return await submit(0..<7, to: group, weight: 4)
        }
        #expect(seen.batches == [[0, 1], [2, 3], [4, 5], [6]])
        let heavy = Seen()
        _ = await TestLoop.run {
            let group = group(itemsMax: 100, weightMax: 10, inFlightMax: 1, seen: heavy)
            return await submit(0..<2, to: group, weight: 11)
        }
        #expect(heavy.batches == [[0], [1]])
    }

    @Test func `a burst uses every batch in flight, and later items wait for one`() async {
        let seen = Seen()
        let gate = Gate()
        await TestLoop.run {
            let group = GroupCommit<Int, Int>(itemsMax: 3, inFlightMax: 2)
            async let answers = submit(0..<9, to: submitter(to: group, seen: seen, gate: gate))
            while seen.batches.count < 2 { await Task.yield() }
            for _ in 0..<100 { await Task.yield() }
            #expect(seen.batches.count == 2)
            #expect(group.backlog == 3)
            gate.open()
            #expect(await answers == (0..<9).map { $0 * 2 })
            #expect(group.backlog == 0)
        }
        #expect(seen.inFlightMost == 2)
    }

    @Test func `items that arrive while a batch is in flight form the next one, unless they have waited for long`()
        async
    {
        let seen = Seen()
        let gate = Gate()
        await TestLoop.run {
            let group = group(itemsMax: 100, seen: seen, gate: gate)
            async let first = submit(0..<1, to: group)
            while seen.batches.count < 1 { await Task.yield() }
            async let second = submit(1..<2, to: group)
            while group.group.backlog < 1 { await Task.yield() }
            // The occasion to see that the second has waited is the third.
            try? await TestLoop.shared.sleep(for: .milliseconds(2))
            async let third = submit(2..<3, to: group)
            while seen.batches.count < 2 { await Task.yield() }
            #expect(seen.batches == [[0], [1, 2]])
            gate.open()
            #expect(await [first, second, third] == [[0], [2], [4]])
        }
    }

    @Test func `an item that has waited for too long is answered so, and is not committed`() async {
        let seen = Seen()
        let gate = Gate()
        await TestLoop.run {
            let limit = GroupCommit<Int, Int>.WaitLimit(.milliseconds(200)) { $0 > .milliseconds(200) ? -1 : -2 }
            let group = GroupCommit<Int, Int>(itemsMax: 3, inFlightMax: 1, waitLimit: limit)
            let submitter = submitter(to: group, seen: seen, gate: gate)
            async let first = submit(0..<1, to: submitter)
            while seen.batches.count < 1 { await Task.yield() }
            async let late = submit(1..<9, to: submitter)
            while group.backlog < 8 { await Task.yield() }
            try? await TestLoop.shared.sleep(for: .milliseconds(300))
            gate.open()
            #expect(await first == [0])
            #expect(await late == Array(repeating: -1, count: 8))
            #expect(await submit(9..<10, to: submitter) == [18])
            #expect(group.backlog == 0)
        }
        #expect(seen.batches == [[0], [9]])
    }

    @Test func `two loops share batches, and each answer is delivered on the submitting loop`() async throws {
        let seen = Seen()
        let gate = Gate()
        let other = try Loop.start(label: "other")
        defer { other.stop() }
        let group = GroupCommit<Int, Int>(itemsMax: 1_000, inFlightMax: 1)
        let here = submitter(to: group, seen: seen, gate: gate)
        let there = submitter(to: group, on: other, seen: seen, gate: gate)
        await TestLoop.run {
            async let first = submit(0..<1, to: here)
            while seen.batches.count < 1 { await Task.yield() }
            async let rest = submit(1..<10, to: here)
            async let others: [Int] = withCheckedContinuation { continuation in
                other.spawn {
                    var answers: [Int] = []
                    await withTaskGroup(of: Int.self) { tasks in
                        for number in 10..<20 {
                            tasks.addTask(executorPreference: other) {
                                let answer = await there.submit(number)
                                #expect(other.isCurrent)
                                return answer
                            }
                        }
                        for await answer in tasks { answers.append(answer) }
                    }
                    continuation.resume(returning: answers)
                }
            }
            while group.backlog < 19 { await Task.yield() }
            gate.open()
            #expect(await first == [0])
            #expect(await rest == (1..<10).map { $0 * 2 })
            #expect(await others.sorted() == (10..<20).map { $0 * 2 })
        }
        #expect(seen.batches.count == 2)
        #expect(seen.batches.last?.sorted() == Array(1..<20))
    }
}
