import Testing
import Values

@Suite struct HexadecimalTests {
    @Test func `every byte has two lower-case digits that read back`() {
        for byte in UInt8.min...UInt8.max {
            let digits = Array(Hexadecimal.text([byte]).utf8)
            #expect(digits.count == 2)
            #expect(Hexadecimal.value(digits[0]).map { $0 << 4 } == byte & 0xf0)
            #expect(Hexadecimal.value(digits[1]) == byte & 0x0f)
            #expect(digits.allSatisfy { !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) })
        }
        #expect(Hexadecimal.text([0x00, 0xab, 0xff]) == "00abff")
    }

    @Test func `digits are read in either case, and nothing else is a digit`() {
        let values = (UInt8.min...UInt8.max).compactMap { byte in Hexadecimal.value(byte).map { (byte, $0) } }
        #expect(values.map { String(UnicodeScalar($0.0)) }.joined() == "0123456789ABCDEFabcdef")
        #expect(values.map(\.1) == Array(0...9) + Array(10...15) + Array(10...15))
    }

    @Test func `a number is written with leading zeros`() {
        var bytes: [UInt8] = []
        bytes.append(hexadecimal: 0xbeef)
        bytes.append(hexadecimal: 0x12345, digits: 4)
        #expect(String(decoding: bytes, as: UTF8.self) == "000000000000beef2345")
    }
}
