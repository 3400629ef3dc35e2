/// What a test draws at random comes from its seed, so that a failure can be repeated.
enum Chance {
    /// Everything that draws without a generator, except a whole `UInt64`: that is an id, and decides nothing.
    static func unseeded(_ source: SwiftSource) -> [Finding] {
        source.matches(/(SystemRandomNumberGenerator|\.(?:random|shuffled?|randomElement)\((?!.*using: )[^)]*)/)
            .filter { $0.captured.firstMatch(of: /\(in: [01]\.\.\.UInt64\.max$/) == nil }
            .map {
                Finding(
                    path: source.path, line: $0.line,
                    message: "\($0.captured): draw with a SeededGenerator of TestKit, seeded by TestSeeds")
            }
    }
}
