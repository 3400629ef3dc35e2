import TestKit
import Testing

@testable import Values

struct WallInstantTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z"),
        ("2026-03-01T12:00:00.25+01:00", 1_772_362_800_250_000, "2026-03-01T11:00:00.250000Z"),
        ("2024-02-29t23:59:59.999999z", 1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.9999999Z", -1, "1969-12-31T23:59:59.999999Z"),
        ("2000-02-29T00:00:00-00:00", 951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ("2026-01-01T00:30:00.000001+00:31", 1_767_225_540_000_001, "2025-12-31T23:59:00.000001Z"),
    ])
    func `a valid instant is parsed, and printed with microseconds in UTC`(
        text: String, microseconds: Int, printed: String
    ) throws {
        let instant = try WallInstant(parsing: text)
        #expect(instant.microseconds == microseconds)
        #expect(instant.description == printed)
    }

    @Test(
        arguments: [
            ("", .malformed), ("2026-03-01", .malformed), ("2026-03-01T12:00Z", .malformed),
            ("2026-03-01 12:00:00Z", .malformed), ("2026-03-01T12:00:00", .malformed),
            ("2026-03-01T12:00:00.Z", .malformed), ("2026-03-01T12:00:00.1234567890Z", .malformed),
            ("2026-03-01T12:00:00,5Z", .malformed), ("2026-03-01T12:00:00Z ", .malformed),
            (" 2026-03-01T12:00:00Z", .malformed), ("+2026-03-01T12:00:00Z", .malformed),
            ("2026-3-01T12:00:00Z", .malformed), ("2026-03-01T12:00:00+0100", .malformed),
            ("2026-03-01T12:00:00+01", .malformed), ("٢٠٢٦-03-01T12:00:00Z", .malformed),
            ("2026-03-01T12:00:00Z\0", .malformed),
            ("2026-00-01T12:00:00Z", .noSuchDay), ("2026-13-01T12:00:00Z", .noSuchDay),
            ("2026-04-31T12:00:00Z", .noSuchDay), ("2026-02-29T12:00:00Z", .noSuchDay),
            ("1900-02-29T12:00:00Z", .noSuchDay), ("2026-01-00T12:00:00Z", .noSuchDay),
            ("0000-01-01T00:00:00Z", .noSuchDay),
            ("2026-03-01T24:00:00Z", .noSuchTime), ("2026-03-01T12:60:00Z", .noSuchTime),
            ("2026-03-01T12:00:61Z", .noSuchTime), ("2016-12-31T23:59:60Z", .leapSecond),
            ("2026-03-01T12:00:00+24:00", .noSuchOffset), ("2026-03-01T12:00:00-01:60", .noSuchOffset),
            ("0001-01-01T00:00:00+00:01", .outOfRange), ("9999-12-31T23:59:59-00:01", .outOfRange),
        ] as [(String, WallInstantError)])
    func `any other text is rejected with a reason`(text: String, reason: WallInstantError) {
        #expect(throws: reason) { try WallInstant(parsing: text) }
    }

    @Test func `every day of eight hundred years follows the day before it`() {
        var expected = CivilDate(year: 1800, month: 1, day: 1)
        for day in expected.daysSince1970..<CivilDate(year: 2600, month: 1, day: 1).daysSince1970 {
            let date = CivilDate(daysSince1970: day)
            guard date == expected, date.daysSince1970 == day else {
                Issue.record("day \(day) became \(date), not \(expected)")
                return
            }
            expected.day += 1
            if expected.day > CivilDate.daysInMonth(expected.month, of: expected.year) {
                expected.day = 1
                expected.month += 1
            }
            if expected.month > 12 {
                expected.month = 1
                expected.year += 1
            }
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `random instants are equal after printing and parsing`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let range = WallInstant.earliest.microseconds...WallInstant.latest.microseconds
            let instant = WallInstant(microseconds: .random(in: range, using: &random))
            #expect(try WallInstant(parsing: instant.description) == instant)
        }
    }

    @Test func `arithmetic is clamped to the years 1 to 9999`() {
        let instant = WallInstant(microseconds: 1_000_000)
        #expect(instant + .milliseconds(1_500) == WallInstant(microseconds: 2_500_000))
        #expect(instant - .seconds(2) == WallInstant(microseconds: -1_000_000))
        #expect(instant - WallInstant(microseconds: -500_000) == .milliseconds(1_500))
        #expect(instant + .seconds(Int64.max) == .latest)
        #expect(instant - .seconds(Int64.max) == .earliest)
        #expect(WallInstant(microseconds: .max).description == "9999-12-31T23:59:59.999999Z")
    }
}
