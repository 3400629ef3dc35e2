import Testing

@testable import HTTP

@Suite struct BodyBudgetTests {
    private func isReserved(_ answer: BodyBudget.Answer) -> Bool {
        if case .reserved = answer { true } else { false }
    }

    private func number(_ answer: BodyBudget.Answer) throws -> UInt64 {
        let number: UInt64? = if case .waiting(let number) = answer { number } else { nil }
        return try #require(number)
    }

    @Test func `one that gives up lets a smaller one behind it go on`() throws {
        let budget = BodyBudget(bytesMax: 100)
        var (first, excess, large, small) = (
            BodyBudget.Reservation(), BodyBudget.Reservation(), BodyBudget.Reservation(), BodyBudget.Reservation()
        )
        #expect(isReserved(budget.extend(&first, by: 60) {}))
        #expect(isReserved(budget.extend(&excess, by: 100) {}), "one may exceed the budget")
        let waitsForMuch = try number(budget.extend(&large, by: 90) {})
        let waitsForLittle = try number(budget.extend(&small, by: 30) {})
        budget.release(&excess)
        #expect(budget.endWait(waitsForMuch, of: &large, for: 90), "it may exceed the budget now")
        #expect(budget.waitingCount == 1)
        var late = BodyBudget.Reservation()
        budget.release(&first)
        let waitsLate = try number(budget.extend(&late, by: 5) {})
        #expect(!budget.endWait(waitsForLittle, of: &small, for: 30))
        #expect(budget.waitingCount == 0 && budget.endWait(waitsLate, of: &late, for: 5))
        for var reservation in [large, late] { budget.release(&reservation) }
        #expect(budget.bytesReserved == 0)
    }
}
