internal import Values

/// Decodes `%XX` (RFC 3986 section 2.1). Nil for a malformed escape, which only text that did not pass the request
/// parser can contain.
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

/// `percentDecoded` as text. Nil for a malformed escape, or if the result is not UTF-8.
func percentDecodedText(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> String? {
    percentDecoded(bytes, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
}
