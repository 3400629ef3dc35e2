import TestKit
import Testing
import Values

@Suite struct UUIDTests {
    @Test func `an identifier is read in either case and printed in lower case`() {
        let text = "0190163D-8694-739b-aea5-966c26f8ad91"
        let uuid = UUID(text)
        #expect(uuid == UUID(high: 0x0190_163d_8694_739b, low: 0xaea5_966c_26f8_ad91))
        #expect(uuid?.description == text.lowercased())
    }

    @Test(arguments: [
        "", "0190163d8694739baea5966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad9",
        "0190163d-8694-739b-aea5-966c26f8ad910", "0190163d-8694-739b-aea5_966c26f8ad91",
        "0190163g-8694-739b-aea5-966c26f8ad91", "{0190163d-8694-739b-aea5-966c26f8ad9}",
        "0190163d-8694-739b-aea5-966c26f8ad9\u{e9}",
    ])
    func `another spelling is refused`(text: String) {
        #expect(UUID(text) == nil)
    }

    @Test func `an identifier tells its version, its variant and its millisecond`() {
        var generator = UUIDv7Generator()
        var random = SeededGenerator(seed: 1)
        // RFC 9562, appendix A.6: 2022-02-22 19:22:22.000 UTC.
        let uuid = generator.next(at: WallInstant(microseconds: 1_645_557_742_000_000), using: &random)
        #expect(uuid.description.hasPrefix("017f22e2-79b0-7000-"))
        #expect(uuid.low >> 62 == 0b10)
    }

    @Test func `identifiers only grow, also within one instant and while the clock goes back`() {
        var generator = UUIDv7Generator()
        var random = SeededGenerator(seed: 2)
        var clock = WallInstant(microseconds: 1_700_000_000_000_000)
        var last = UUID(high: 0, low: 0)
        for turn in 0..<20_000 {
            if turn % 3 == 0 { clock.microseconds += Int64(random.next() % 2_000) - 1_000 }
            let uuid = generator.next(at: clock, using: &random)
            #expect(uuid > last)
            last = uuid
        }
    }

    @Test func `a clock that was far ahead is followed back`() {
        var generator = UUIDv7Generator()
        var random = SeededGenerator(seed: 3)
        let now = WallInstant(microseconds: 1_700_000_000_000_000)
        let ahead = generator.next(at: WallInstant(microseconds: now.microseconds + 86_400_000_000), using: &random)
        let after = generator.next(at: now, using: &random)
        #expect(after < ahead)
        #expect(after.high >> 16 == 1_700_000_000_000)
    }
}
