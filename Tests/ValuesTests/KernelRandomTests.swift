import Testing
import Values

@Suite struct KernelRandomTests {
    @Test func `no number comes twice, within what is fetched at once and beyond`() {
        var random = KernelRandom()
        let drawn = (0..<10_000).map { _ in random.next() }
        #expect(Set(drawn).count == drawn.count)
        // Each bit is set about half of the time.
        for bit in 0..<64 {
            let count = drawn.count { $0 >> UInt64(bit) & 1 == 1 }
            #expect((4_500...5_500).contains(count))
        }
    }
}
