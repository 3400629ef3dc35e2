internal import EventLoop

/// `WEBHOOK_ALLOW`: what webhooks may reach besides the public internet, and where they may go without TLS.
struct WebhookAllowList: Hashable, Sendable {
    /// Nothing besides the public internet, by https.
    static let none = WebhookAllowList()

    private var hosts: Set<String> = []
    private var blocks: [AddressBlock] = []

    private init() {}

    /// - Parameter entries: host names, addresses, and blocks of addresses. nil if one of them is neither.
    init?(_ entries: [String]) {
        for entry in entries {
            if let block = AddressBlock(entry) {
                blocks.append(block)
            } else if let host = WebhookAllowList.hostName(entry) {
                hosts.insert(host)
            } else {
                return nil
            }
        }
    }

    /// Whether `text` may be an element of the list.
    static func isEntry(_ text: String) -> Bool {
        WebhookAllowList([text]) != nil
    }

    /// In lower case; nil when it is no name. A name that only consists of digits and dots was meant as an address.
    private static func hostName(_ text: String) -> String? {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 253, bytes.first != UInt8(ascii: "."), bytes.first != UInt8(ascii: "-"),
            !bytes.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") })
        else { return nil }
        let isName = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isName ? text.lowercased() : nil
    }

    /// Whether the operator has named the host itself: then it may have any address.
    func names(_ host: String) -> Bool {
        hosts.contains(host.lowercased())
    }

    /// Whether plain HTTP could be allowed to a host that is not named: by its addresses.
    var hasBlocks: Bool { !blocks.isEmpty }

    /// Why this address of a host may not be connected to; nil when it may.
    func refusal(of address: SocketAddress, host: String, isSecure: Bool) -> String? {
        if names(host) || blocks.contains(where: { $0.contains(address) }) { return nil }
        guard AddressBlock.isPublic(address) else {
            return "\(address.host) is no address of the public internet, and WEBHOOK_ALLOW does not allow it"
        }
        return isSecure ? nil : "without TLS only hosts and addresses of WEBHOOK_ALLOW may be called"
    }
}
