import JSON
import Testing

struct NumberTests {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("1.0", 1), ("1.000", 1), ("-2.0e0", -2), ("1e2", 100),
        ("1E+2", 100), ("120e-1", 12), ("1.5e1", 15), ("0e999999999999999999999", 0), ("0.0", 0), ("0.00e-5", 0),
        ("10000000000000000000000000000e-28", 1), ("0.0000000000000000000000001e25", 1), ("100", 100), ("1001", 1001),
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("922337203685477580.7e1", Int64.max),
        ("1000000000000000000", 1_000_000_000_000_000_000),
    ])
    func `an integer is recognised by its value, not by its notation`(_ text: String, _ value: Int64) throws {
        var reader = JSONReader(Array(text.utf8))
        #expect(try reader.readInteger() == value)
        try reader.finish()
    }

    @Test(arguments: [
        "1.5", "1e-1", "15e-1", "0.1", "1e-999999999999999999", "9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "1e19", "1e400", "1e999999999999999999999", "123456789012345678901234567890",
        "12345678901234567890.5", "1000000000000000000000000000e-8",
    ])
    func `a number that is not a 64-bit integer is a type error and stays unread`(_ text: String) throws {
        var reader = JSONReader(Array("[ \(text) ]".utf8))
        try reader.beginArray()
        _ = try reader.nextElement()
        let error = #expect(throws: JSONError.self) { _ = try reader.readInteger(as: Int64.self) }
        #expect(
            error
                == .type(
                    JSONTypeError(
                        expected: "an integer from -9223372036854775808 to 9223372036854775807", found: text, offset: 2)
                ))
        #expect(try reader.readNumberText() == text)
        #expect(try !reader.nextElement())
    }

    @Test func `an integer outside the range of its type is a type error`() throws {
        func read<Value: FixedWidthInteger>(_ text: String, as type: Value.Type) -> Value? {
            var reader = JSONReader(Array(text.utf8))
            return try? reader.readInteger(as: type)
        }
        #expect(read("255", as: UInt8.self) == 255)
        #expect(read("256", as: UInt8.self) == nil)
        #expect(read("-1", as: UInt8.self) == nil)
        #expect(read("-0", as: UInt8.self) == 0)
        #expect(read("-32768", as: Int16.self) == -32768)
        #expect(read("32768", as: Int16.self) == nil)
        #expect(read("18446744073709551615", as: UInt64.self) == UInt64.max)
        #expect(read("18446744073709551616", as: UInt64.self) == nil)
        #expect(read("184467440737095516150e-1", as: UInt64.self) == UInt64.max)
    }

    @Test func `a very long number is truncated in the message`() {
        var reader = JSONReader(Array(repeating: UInt8(ascii: "9"), count: 1_000_000))
        let error = #expect(throws: JSONError.self) { _ = try reader.readInteger(as: Int.self) }
        #expect(error?.description.hasSuffix("found \(String(repeating: "9", count: 32))...") == true)
    }

    @Test func `a number is read as the nearest double, and never as infinity`() throws {
        let doubles: [(String, Double)] = [
            ("0.1", 0.1), ("-0", -0.0), ("1e308", 1e308), ("5e-324", .leastNonzeroMagnitude), ("1e-400", 0),
            ("123456789.125", 123456789.125),
        ]
        for (text, value) in doubles {
            var reader = JSONReader(Array(text.utf8))
            #expect(try reader.readDouble().bitPattern == value.bitPattern)
        }
        for text in ["1e400", "-1e309"] {
            var reader = JSONReader(Array(text.utf8))
            #expect(throws: JSONError.self) { _ = try reader.readDouble() }
            #expect(try reader.readNumberText() == text)
        }
    }

    @Test func `a JSONNumber accepts only text that the grammar allows`() {
        for text in ["0", "-1.50", "1e400", "12345678901234567890"] {
            #expect(JSONNumber(text)?.text == text)
        }
        for text in ["", "-", "01", "1.", "+1", " 1", "1 ", "0x1", "NaN", "1e", "é"] {
            #expect(JSONNumber(text) == nil)
        }
        #expect(JSONNumber(Double.nan) == nil)
        #expect(JSONNumber(-Double.infinity) == nil)
        #expect(JSONNumber(UInt64.max).integer(as: UInt64.self) == UInt64.max)
        #expect(JSONNumber("1e2")?.integer(as: Int8.self) == 100)
        #expect(JSONNumber("1e400")?.double == .infinity)
    }
}
