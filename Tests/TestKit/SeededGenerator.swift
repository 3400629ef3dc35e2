internal import Glibc

/// The same numbers in every run: SplitMix64 (Steele, Lea and Flood 2014).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

/// The seeds of all tests that draw random numbers. Such a test takes its seed as an argument, so that the report of a
/// failure shows it:
///
///     @Test(arguments: TestSeeds.take(3)) func `any tree survives`(seed: UInt64) {
///         var random = SeededGenerator(seed: seed)
///
/// The variable `TEST_SEED` holds the first seed, or `random`; the default is 1, so that `make test` repeats itself.
/// `TEST_SEED_COUNT` replaces the number of seeds of each test.
public enum TestSeeds {
    /// The seed of what is only put in some order.
    public static let first = {
        let text = variable("TEST_SEED")
        let seed = read(text)
        if text == "random" { print("TEST_SEED=\(seed)") }
        return seed
    }()

    /// Of every test; nil when each takes its own number.
    private static let count = variable("TEST_SEED_COUNT").map { text in
        guard let count = Int(text), count > 0 else { fatalError("TEST_SEED_COUNT is a whole number above 0") }
        return count
    }

    /// - Parameter count: how many seeds the test takes by default, at least 1.
    public static func take(_ count: Int) -> [UInt64] {
        (0..<UInt64(Self.count ?? count)).map { first &+ $0 }
    }

    private static func read(_ text: String?) -> UInt64 {
        guard let text else { return 1 }
        // Short enough to be typed again.
        if text == "random" { return .random(in: 1..<1_000_000_000) }
        guard let seed = UInt64(text) else { fatalError("TEST_SEED is a whole number or `random`") }
        return seed
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
