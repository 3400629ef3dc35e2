import TLS
import Testing

/// The published test vectors of FIPS 180-4 (NIST's examples) and RFC 4231.
@Suite struct HashingTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func `SHA-256 gives the digests of FIPS 180-4, at once and byte by byte`(message: String, expected: String) {
        let bytes = Array(message.utf8)
        #expect(SHA256.digest(of: bytes).hexadecimal == expected)
        var incremental = SHA256()
        for byte in bytes { incremental.update([byte]) }
        let digest = incremental.finalize()
        #expect(digest.hexadecimal == expected)
    }

    @Test func `SHA-256 of a million times the letter a is the digest of FIPS 180-4`() {
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(SHA256.digest(of: [UInt8](repeating: 0x61, count: 1_000_000)).hexadecimal == expected)
        var incremental = SHA256()
        for _ in 0..<1000 { incremental.update([UInt8](repeating: 0x61, count: 1000)) }
        let digest = incremental.finalize()
        #expect(digest.hexadecimal == expected)
    }

    @Test(arguments: [
        AuthenticationVector(
            key: [UInt8](repeating: 0x0b, count: 20), message: Array("Hi There".utf8),
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        AuthenticationVector(
            key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        AuthenticationVector(
            key: [UInt8](repeating: 0xaa, count: 20), message: [UInt8](repeating: 0xdd, count: 50),
            code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        AuthenticationVector(
            key: [UInt8](1...25), message: [UInt8](repeating: 0xcd, count: 50),
            code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        AuthenticationVector(
            key: [UInt8](repeating: 0xaa, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        AuthenticationVector(
            key: [UInt8](repeating: 0xaa, count: 131),
            message: Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
            code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ])
    func `HMAC-SHA256 gives the codes of RFC 4231, at once and byte by byte`(vector: AuthenticationVector) {
        #expect(HMACSHA256.authenticationCode(for: vector.message, key: vector.key).hexadecimal == vector.code)
        var incremental = HMACSHA256(key: vector.key)
        for byte in vector.message { incremental.update([byte]) }
        let code = incremental.finalize()
        #expect(code.hexadecimal == vector.code)
    }

    @Test func `HMAC-SHA256 accepts an empty key and an empty message`() {
        // The output of `openssl mac -digest SHA256 -macopt key: HMAC` for an empty input; also follows from RFC 2104.
        let expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(HMACSHA256.authenticationCode(for: [], key: []).hexadecimal == expected)
    }

    @Test func `a digest is parsed from hexadecimal digits in either case`() throws {
        let digest = SHA256.digest(of: Array("abc".utf8))
        #expect(Digest256(hexadecimal: digest.hexadecimal) == digest)
        #expect(Digest256(hexadecimal: digest.hexadecimal.uppercased()) == digest)
        #expect(Digest256(bytes: digest.bytes) == digest)
        #expect(Digest256(hexadecimal: String(digest.hexadecimal.dropLast())) == nil)
        #expect(Digest256(hexadecimal: "+" + digest.hexadecimal.dropFirst()) == nil)
        #expect(Digest256(hexadecimal: "g" + digest.hexadecimal.dropFirst()) == nil)
        #expect(Digest256(bytes: [1, 2, 3]) == nil)
    }

    @Test func `digests and secrets that differ in one bit are not equal`() throws {
        let bytes = SHA256.digest(of: Array("abc".utf8)).bytes
        let digest = try #require(Digest256(bytes: bytes))
        #expect(isEqualInConstantTime(bytes, bytes))
        for bit in 0..<256 {
            var other = bytes
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Digest256(bytes: other.span) != digest)
            #expect(!isEqualInConstantTime(bytes, other))
        }
    }

    @Test func `secrets of different lengths are not equal, and empty ones are`() {
        let secret = Array("0123456789abcdef".utf8)
        #expect(!isEqualInConstantTime(secret, Array(secret.dropLast())))
        #expect(!isEqualInConstantTime(secret, []))
        #expect(isEqualInConstantTime([], []))
        let areEqual = isEqualInConstantTime(secret[0..<8].span, Array(secret.prefix(8)).span)
        #expect(areEqual)
    }

    @Test func `random bytes have the requested length and do not repeat`() {
        #expect(secureRandomBytes(0).isEmpty)
        #expect(secureRandomBytes(32).count == 32)
        #expect(Set((0..<100).map { _ in secureRandomBytes(16) }).count == 100)
    }
}

/// One test case of RFC 4231.
struct AuthenticationVector: Sendable {
    let key: [UInt8]
    let message: [UInt8]
    let code: String
}
