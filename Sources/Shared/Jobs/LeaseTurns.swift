/// What a worker remembers from one lease to the next about jobs that take turns (`0008_turns.sql`): pure.
///
/// The keys of a share take their turns in the order of a ring, each worker beginning somewhere on it. Nothing of this
/// stands in PostgreSQL: with every worker fair by itself, all of them together are.
public struct LeaseTurns: Sendable {
    /// Beyond it the places are forgotten, and the shares begin anew.
    private static let sharesMax = 1_000

    /// Jobs that take turns were ready: the plain statement would leave them alone.
    var areOpen = false
    /// Where shares begin that have not been served yet.
    let start: Int64
    private var lastTurns: [Int64: Int64] = [:]

    public init() {
        self.init(start: .random(in: .min ... .max))
    }

    init(start: Int64) {
        self.start = start
    }

    /// Parallel arrays: the shares that were served, and the turn of each that was served last.
    var shares: [Int64] { lastTurns.keys.sorted() }
    var served: [Int64] { shares.map { lastTurns[$0] ?? start } }

    /// These turns of these shares have been served. The one farthest along the ring was the last.
    mutating func served(_ turns: [Int64: [Int64]]) {
        if lastTurns.count + turns.count > Self.sharesMax { lastTurns = [:] }
        for (share, served) in turns {
            let origin = lastTurns[share] ?? start
            lastTurns[share] = served.max { Self.distance(from: origin, to: $0) < Self.distance(from: origin, to: $1) }
        }
    }

    /// Along the ring, which begins anew after its end. The origin itself is the farthest.
    private static func distance(from origin: Int64, to turn: Int64) -> UInt64 {
        UInt64(bitPattern: turn &- origin &- 1)
    }
}
