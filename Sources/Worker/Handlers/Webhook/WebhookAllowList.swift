internal import EventLoop

/// `WEBHOOK_ALLOW`: the destinations that webhooks may call besides the public internet by https. They may also be
/// called by plain http.
struct WebhookAllowList: Hashable, Sendable {
    /// Only the public internet, by https.
    static let none = WebhookAllowList()

    private var hosts: Set<String> = []
    private var blocks: [AddressBlock] = []

    private init() {}

    /// - Parameter entries: host names, addresses, and address blocks. nil if one of them is not valid.
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

    /// Whether `text` is a valid entry.
    static func isEntry(_ text: String) -> Bool {
        WebhookAllowList([text]) != nil
    }

    /// The host name in lower case; nil: not a valid name. Digits and dots alone are a malformed address.
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

    /// Whether the list has the host by name: then every address of the host is allowed.
    func containsHost(_ host: String) -> Bool {
        hosts.contains(host.lowercased())
    }

    /// Whether the list has address blocks: then a host may be allowed by its addresses.
    var hasBlocks: Bool { !blocks.isEmpty }

    /// The reason why a connection to this address of a host is not allowed; nil: it is allowed.
    func reasonToDeny(_ address: SocketAddress, host: String, isSecure: Bool) -> String? {
        if containsHost(host) || blocks.contains(where: { $0.contains(address) }) { return nil }
        guard AddressBlock.isPublic(address) else {
            return "\(address.host) is not a public address, and WEBHOOK_ALLOW does not list it"
        }
        return isSecure ? nil : "plain http is allowed only to hosts and addresses in WEBHOOK_ALLOW"
    }
}
