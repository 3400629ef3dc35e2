internal import Values

/// Decodes `%XX` (RFC 3986 section 2.1). The parser has refused targets with a malformed escape; text that did not
/// come through it may still hold one: nil then.
func percentDecoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
        let byte = bytes[index]
        if byte == UInt8(ascii: "%") {
            guard bytes.endIndex - index >= 3, let high = Hexadecimal.value(bytes[index + 1]),
                let low = Hexadecimal.value(bytes[index + 2])
            else { return nil }
            result.append(high * 16 + low)
            index += 3
        } else {
            result.append(plusIsSpace && byte == UInt8(ascii: "+") ? .space : byte)
            index += 1
        }
    }
    return result
}

/// The same as text; nil also when it is not UTF-8.
func percentDecodedText(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> String? {
    percentDecoded(bytes, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
}
