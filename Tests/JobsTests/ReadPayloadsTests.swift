import Jobs
import TestKit
import Testing
import Values

/// Payloads that leases leave out.
@Suite struct ReadPayloadsTests {
    /// A JSON string of this length in all: of one letter, which is stored in a hundredth of it, or random.
    private func text(_ bytes: Int, isRandom: Bool = false) -> [UInt8] {
        var random = SeededGenerator(seed: TestSeeds.first)
        let inner = (0..<(bytes - 2)).map { _ in isRandom ? UInt8.random(in: 0x30...0x5A, using: &random) : 0x61 }
        return [0x22] + inner + [0x22]
    }

    @Test(arguments: [false, true])
    func `a lease has payloads of at most 16 KiB, however they are stored`(isRestricted: Bool) async throws {
        try await Fixture.use { fixture in
            for isRandom in [false, true] {
                for (bytes, isInline) in [(100, true), (16_384, true), (16_385, false), (1_048_576, false)] {
                    let payload = text(bytes, isRandom: isRandom)
                    let leased = try await fixture.leaseNew { job in
                        job.payload = payload
                        if isRestricted { job.concurrencyKey = "k" }
                    }
                    #expect(leased.hasPayload == isInline, "\(bytes) \(isRandom)")
                    #expect(leased.payload == (isInline ? payload : []))
                    let read = try await fixture.jobs.readPayloads(of: [leased.id], bytesMax: 0, atLeastOne: true)
                    #expect(read.map(\.bytes) == [payload])
                    try await fixture.finish(leased, .succeeded(result: nil))
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `payloads are read in the given order until the limit, with the length of the first`(
        isRandom: Bool
    ) async throws {
        try await Fixture.use { fixture in
            var ids: [UUID] = []
            for _ in 0..<4 {
                let payload = text(100_000, isRandom: isRandom)
                ids.append(try await fixture.create { $0.payload = payload })
            }
            ids.reverse()
            func read(_ bytesMax: Int, _ atLeastOne: Bool) async throws -> [Int?] {
                let rows = try await fixture.jobs.readPayloads(of: ids, bytesMax: bytesMax, atLeastOne: atLeastOne)
                #expect(rows.map(\.id) == ids)
                #expect(rows.first?.byteCount == 100_000)
                return rows.map { $0.bytes?.count }
            }
            #expect(try await read(400_000, false) == [100_000, 100_000, 100_000, 100_000])
            #expect(try await read(399_999, false) == [100_000, 100_000, 100_000, nil])
            #expect(try await read(100_000, false) == [100_000, nil, nil, nil])
            #expect(try await read(99_999, false) == [nil, nil, nil, nil])
            #expect(try await read(0, true) == [100_000, nil, nil, nil])
            let unknown = UUID(high: 1, low: 2)
            let rows = try await fixture.jobs.readPayloads(of: [unknown, ids[0]], bytesMax: 0, atLeastOne: true)
            #expect(rows.map(\.id) == [ids[0]] && rows.first?.bytes?.count == 100_000)
        }
    }
}
