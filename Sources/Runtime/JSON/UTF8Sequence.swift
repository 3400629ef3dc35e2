extension Span<UInt8> {
    /// The length of the well-formed UTF-8 sequence of two to four bytes at `index`; 0 if there is none. Overlong
    /// forms, surrogates and scalars above U+10FFFF are not well-formed (Unicode 16, table 3-7).
    func multibyteLength(at index: Int) -> Int {
        let available = count - index
        guard available >= 2 else { return 0 }
        let second = self[index + 1]
        switch self[index] {
        case 0xC2...0xDF:
            return isContinuation(second) ? 2 : 0
        case let first where first & 0xF0 == 0xE0:
            let secondMin: UInt8 = first == 0xE0 ? 0xA0 : 0x80
            let secondMax: UInt8 = first == 0xED ? 0x9F : 0xBF
            guard available >= 3, second >= secondMin, second <= secondMax else { return 0 }
            return isContinuation(self[index + 2]) ? 3 : 0
        case let first where first >= 0xF0 && first <= 0xF4:
            let secondMin: UInt8 = first == 0xF0 ? 0x90 : 0x80
            let secondMax: UInt8 = first == 0xF4 ? 0x8F : 0xBF
            guard available >= 4, second >= secondMin, second <= secondMax else { return 0 }
            return isContinuation(self[index + 2]) && isContinuation(self[index + 3]) ? 4 : 0
        default:
            return 0
        }
    }

    private func isContinuation(_ byte: UInt8) -> Bool {
        byte & 0xC0 == 0x80
    }

    /// Number of plain bytes from `index` on: ASCII without control characters, quotation mark and backslash. DEL
    /// counts as plain unless `stopsAtDelete`.
    ///
    /// Processes eight bytes at a time. Subtracting 1 from each byte of `word ^ pattern` sets the high bit of a byte
    /// that equals the pattern. A borrow can only come from a lower byte that matched, so the lowest set high bit is
    /// exact.
    func plainLength(at index: Int, stopsAtDelete: Bool = false) -> Int {
        var end = index
        while let word = self.word(at: end) {
            var stops = word &- 0x2020_2020_2020_2020
            stops |= (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
            stops |= (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
            if stopsAtDelete {
                stops |= (word ^ 0x7F7F_7F7F_7F7F_7F7F) &- 0x0101_0101_0101_0101
            }
            stops = (stops | word) & 0x8080_8080_8080_8080
            if stops != 0 {
                return end + stops.trailingZeroBitCount / 8 - index
            }
            end += 8
        }
        while end < count {
            let byte = self[end]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                || stopsAtDelete && byte == 0x7F
            {
                break
            }
            end += 1
        }
        return end - index
    }

    /// The eight bytes from `index` on, the first in the lowest bits; nil if there are fewer. The compiler reduces this
    /// to one load, because the single check of `count` covers the eight bounds checks.
    private func word(at index: Int) -> UInt64? {
        let rest = extracting(droppingFirst: index)
        guard rest.count >= 8 else { return nil }
        var word: UInt64 = 0
        for position in 0..<8 {
            word |= UInt64(rest[position]) &<< UInt64(position &* 8)
        }
        return word
    }
}
