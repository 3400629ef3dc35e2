/// Makes identifiers of version 7 (RFC 9562 section 5.7) that only grow.
///
/// The layout is 48 bits of milliseconds since 1970, the version, 12 bits for the fraction of the millisecond
/// (section 6.2, method 3), the variant, and 62 random bits. Within one fraction the random part grows by a
/// random step (method 2), so that an identifier cannot be guessed from the one before.
///
/// A clock that goes back by up to `clockStepBackMax` is not followed: identifiers go on from the last
/// instant. One that goes back further was wrong before, and is followed, at the price of the order.
public struct UUIDv7Generator: Sendable {
    /// The furthest step back of the clock across which identifiers keep growing.
    public static let clockStepBackMaxMilliseconds: UInt64 = 10_000

    /// 48 bits of milliseconds and 12 bits of fraction, of the last identifier.
    private var lastTick: UInt64 = 0
    /// The 62 random bits of the last identifier.
    private var lastRandom: UInt64 = 0

    public init() {}

    /// An identifier greater than all that this generator has made before (but see the type's note on clocks).
    /// - Parameter instant: now; instants before 1970 count as 1970.
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
