/// A generator of ascending UUIDs of version 7 (RFC 9562 section 5.7).
///
/// The layout is 48 bits of milliseconds since 1970, the version, 12 bits for the fraction of the millisecond (section
/// 6.2, method 3), the variant, and 62 random bits. Within one fraction the random part is increased by a random step
/// (method 2), so that the next identifier cannot be guessed.
///
/// If the clock goes back by up to `clockStepBackMaxMilliseconds`, identifiers continue from the last instant. If it
/// goes back further, it was wrong before: the generator follows it, and the order is lost.
public struct UUIDv7Generator: Sendable {
    /// Maximum step back of the clock, in milliseconds, across which identifiers stay ascending.
    public static let clockStepBackMaxMilliseconds: UInt64 = 10_000

    /// 48 bits of milliseconds and 12 bits of fraction, of the last identifier.
    private var lastTick: UInt64 = 0
    /// The 62 random bits of the last identifier.
    private var lastRandom: UInt64 = 0

    public init() {}

    /// An identifier greater than all previous ones of this generator, except after a large step back of the clock.
    /// - Parameter instant: the current time; instants before 1970 count as 1970.
    public mutating func next(at instant: WallInstant, using random: inout some RandomNumberGenerator) -> UUID {
        let tick = UUIDv7Generator.tick(of: instant)
        let isFarBehind = tick + UUIDv7Generator.clockStepBackMaxMilliseconds << 12 < lastTick
        if tick > lastTick || isFarBehind {
            lastTick = tick
            lastRandom = random.next() & UUIDv7Generator.randomMask
        } else {
            lastRandom += 1 + random.next() & 0xFFFF_FFFF
            if lastRandom > UUIDv7Generator.randomMask {
                lastTick += 1
                lastRandom = random.next() & UUIDv7Generator.randomMask
            }
        }
        let high = (lastTick >> 12) << 16 | 0x7000 | lastTick & 0xFFF
        return UUID(high: high, low: 0b10 << 62 | lastRandom)
    }

    private static let randomMask: UInt64 = (1 << 62) - 1

    private static func tick(of instant: WallInstant) -> UInt64 {
        let microseconds = UInt64(max(0, instant.microseconds))
        let milliseconds = (microseconds / 1_000) & ((1 << 48) - 1)
        return milliseconds << 12 | (microseconds % 1_000) * 4_096 / 1_000
    }
}
