internal import Configuration
internal import EventLoop
internal import HTTP
internal import JSON
internal import Jobs
internal import TLS

extension HandlersFileParser {
    /// `{"http": "https://...", "timeout_seconds": 30, "secret_file": "..."}`, or `"secret_env"` for `"secret_file"`.
    mutating func readWebhookHandler() throws(JSONError) -> (any Handler)? {
        let before = problems.count
        let start = try nextOffset()
        var uri: AbsoluteURI?
        var timeout: Duration?
        var takeover = Takeover.heartbeat
        var secrets: [[UInt8]] = []
        let known = ["http", "timeout_seconds", "secret_file", "secret_env", "takeover"]
        try readObject(known: known) { parser, key throws(JSONError) in
            switch key {
            case "http":
                uri = try parser.readURI()
            case "timeout_seconds":
                timeout = try parser.readSeconds(0.001...ExecLimits.timeoutSecondsMax)
            case "takeover":
                takeover = try parser.readTakeover()
            case "secret_file":
                try secrets.append(parser.readSecretFile() ?? [])
            default:
                try secrets.append(parser.readSecretVariable() ?? [])
            }
        }
        if secrets.count > 1 { add("a handler must not have both \"secret_file\" and \"secret_env\"", at: start) }
        guard problems.count == before, let uri, let client = client(at: start) else { return nil }
        return WebhookHandler(
            uri: uri, secret: secrets.first, timeout: timeout, takeover: takeover,
            addresses: CheckedAddresses(uri, allow: worker.webhookAllow, on: worker.loop), client: client,
            loop: worker.loop)
    }

    /// The client of all webhooks of the file. It is created once, because reading the trusted certificates takes time.
    private mutating func client(at start: Int) -> Client? {
        if let client = webhookClient { return client }
        do throws(TLSFileError) {
            let tls = try TLSClientContext(trust: worker.webhookTrust)
            webhookClient = Client.forWebhooks(on: worker.loop, tls: tls)
        } catch {
            add("\(error)", at: start)
        }
        return webhookClient
    }

    private mutating func readURI() throws(JSONError) -> AbsoluteURI? {
        let start = try nextOffset()
        guard let text = try readText() else { return nil }
        guard let uri = AbsoluteURI(text) else {
            add("must be an http or https URL without user name, password and fragment", at: start)
            return nil
        }
        if let problem = worker.webhookAllow.reasonToDeny(uri) { add(problem, at: start) }
        return uri
    }

    private mutating func readSecretFile() throws(JSONError) -> [UInt8]? {
        let start = try nextOffset()
        guard let text = try readText() else { return nil }
        let path = FilePath.absolute(text, from: directory)
        do throws(SmallFileError) {
            return secret(try SmallFile.value(of: path), from: path, at: start)
        } catch {
            add("\(error)", at: start)
            return nil
        }
    }

    private mutating func readSecretVariable() throws(JSONError) -> [UInt8]? {
        let start = try nextOffset()
        guard let name = try readText() else { return nil }
        guard let value = worker.environment[name], !value.isEmpty else {
            add("the environment of the worker has no variable \"\(name)\", or it is empty", at: start)
            return nil
        }
        return secret(value, from: name, at: start)
    }

    private mutating func secret(_ text: String, from source: String, at start: Int) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count >= WebhookLimits.secretCharactersMin else {
            add(
                "the secret in \(source) is too short: must be at least \(WebhookLimits.secretCharactersMin) "
                    + "characters",
                at: start)
            return nil
        }
        return bytes
    }
}

extension WebhookAllowList {
    /// The reason why no attempt can ever call this URL; nil: it depends on the addresses of the host.
    fileprivate func reasonToDeny(_ uri: AbsoluteURI) -> String? {
        if let address = AddressBlock.literal(uri.host, port: uri.port) {
            return reasonToDeny(address, host: uri.host, isSecure: uri.isSecure)
        }
        guard uri.isSecure || containsHost(uri.host) || hasBlocks else {
            return "plain http is allowed only to hosts and addresses in WEBHOOK_ALLOW"
        }
        return nil
    }
}
