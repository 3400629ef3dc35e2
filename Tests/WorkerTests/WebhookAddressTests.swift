import EventLoop
import HTTP
import Testing

@testable import Worker

@Suite struct WebhookAddressTests {
    // MARK: Public addresses

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1", "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.0.1", "198.17.0.1",
        "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "2001:200::1", "::ffff:8.8.8.8",
    ])
    func `public addresses are allowed`(text: String) throws {
        #expect(AddressBlock.isPublic(try #require(AddressBlock.literal(text, port: 443))))
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
        "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "4000::1", "fc00::1", "fd12:3456::1", "fe80::1",
        "fec0::1", "ff02::1",
    ])
    func `all other addresses are denied`(text: String) throws {
        #expect(!AddressBlock.isPublic(try #require(AddressBlock.literal(text, port: 443))))
    }

    @Test func `a Unix socket is not a public address`() {
        #expect(!AddressBlock.isPublic(.unix(path: "/run/docker.sock")))
    }

    // MARK: WEBHOOK_ALLOW

    @Test(arguments: [
        "10.0.0.0/8", "127.0.0.1", "0.0.0.0/0", "fd00::/8", "::1/128", "::/0", "receiver.internal", "localhost", "a_b",
    ])
    func `names, addresses and blocks are valid entries`(entry: String) {
        #expect(WebhookAllowList.isEntry(entry))
    }

    @Test(arguments: [
        "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "10.0.0/8", "0177.0.0.1",
        "1.2.3", "127.1", "fd00::1/8", "::1/129", "a/8", "a:80", "http://a", "a b", ".a", "-a", "*", "é",
    ])
    func `anything else is not a valid entry`(entry: String) {
        #expect(!WebhookAllowList.isEntry(entry))
    }

    @Test func `a block allows exactly its addresses, in both notations`() throws {
        let allow = try #require(WebhookAllowList(["10.1.0.0/16", "fd00:1::/32", "192.168.1.7"]))
        func isAllowed(_ text: String, isSecure: Bool = true) throws -> Bool {
            let address = try #require(AddressBlock.literal(text, port: 443))
            return allow.reasonToDeny(address, host: "x", isSecure: isSecure) == nil
        }
        for inside in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd00:1::9", "192.168.1.7"] {
            #expect(try isAllowed(inside))
            #expect(try isAllowed(inside, isSecure: false))
        }
        for outside in ["10.0.255.255", "10.2.0.0", "fd00:2::", "192.168.1.6", "192.168.1.8"] {
            #expect(try !isAllowed(outside))
        }
        #expect(try isAllowed("8.8.8.8"))
        #expect(try !isAllowed("8.8.8.8", isSecure: false))
    }

    @Test func `a listed host may have any address, and its case does not matter`() throws {
        let allow = try #require(WebhookAllowList(["Receiver.Internal"]))
        let address = SocketAddress.loopback(port: 80)
        #expect(allow.reasonToDeny(address, host: "receiver.INTERNAL", isSecure: false) == nil)
        #expect(allow.reasonToDeny(address, host: "other.internal", isSecure: true) != nil)
    }

    // MARK: Attempts

    @Test(arguments: [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0",
    ])
    func `no notation of a private address is connected to`(host: String) async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .status(200) }
            for allow in [[], ["10.0.0.0/8"]] {
                let handler = try webhook("http://\(host):\(receiver.port)/", allow: allow, on: loop)
                let error = try #require(await handler.run(leasedJob()).retryError)
                #expect(error.contains(" is not an allowed destination: "))
                #expect(error.hasSuffix(" is not a public address, and WEBHOOK_ALLOW does not list it"))
            }
            #expect(receiver.connections == 0)
            receiver.close()
        }
    }

    @Test func `a host that is allowed by name is called, whatever its addresses`() async throws {
        try await onLoop { loop in
            let receiver = try Receiver(on: loop) { _ in .status(200, body: "1") }
            let handler = try webhook("http://localhost:\(receiver.port)/", allow: ["localhost"], on: loop)
            #expect(await handler.run(leasedJob()).resultText == "1")
            receiver.close()
        }
    }

    @Test func `a failed name lookup is a retry`() async throws {
        try await onLoop { loop in
            let handler = try webhook("https://no-such-host.invalid/", on: loop)
            let error = try #require(await handler.run(leasedJob()).retryError)
            #expect(error.hasPrefix("cannot resolve no-such-host.invalid: "))
        }
    }
}
