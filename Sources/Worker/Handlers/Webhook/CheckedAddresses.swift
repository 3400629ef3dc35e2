internal import EventLoop
internal import HTTP
internal import Synchronization
internal import Values

/// The addresses of a webhook's host, all of them checked. A connection is made to an address that came from here,
/// and to no other: between a check and a second lookup the name could have moved.
final class CheckedAddresses: Sendable {
    /// Why there is no address to connect to.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private typealias Lookup = Task<Result<[SocketAddress], Refusal>, Never>

    private let uri: AbsoluteURI
    private let allow: WebhookAllowList
    private let loop: Loop
    private let latest = Mutex<(lookup: Lookup, expires: MonotonicInstant)?>(nil)

    init(_ uri: AbsoluteURI, allow: WebhookAllowList, on loop: Loop) {
        self.uri = uri
        self.allow = allow
        self.loop = loop
    }

    /// In the order in which they are to be tried; at least one. Attempts that run at the same time share one lookup.
    func addresses() async throws(Refusal) -> [SocketAddress] {
        let now = MonotonicInstant.now()
        let lookup = latest.withLock { latest in
            if let latest, now < latest.expires { return latest.lookup }
            let lookup = Lookup(executorPreference: loop) { [uri, allow] in await Self.lookUp(uri, allow) }
            latest = (lookup, now + WebhookLimits.addressLifetime)
            return lookup
        }
        let result = await lookup.value
        if case .failure = result { forget(lookup) }
        return try result.get()
    }

    /// The next attempt looks again.
    private func forget(_ lookup: Lookup) {
        latest.withLock { latest in
            if latest?.lookup == lookup { latest = nil }
        }
    }

    /// One refused address refuses the host: a name with public and inner addresses is a trap or a mistake.
    private static func lookUp(
        _ uri: AbsoluteURI, _ allow: WebhookAllowList
    ) async -> Result<[SocketAddress], Refusal> {
        let addresses: [SocketAddress]
        do throws(SocketAddress.ResolutionError) {
            addresses = try await SocketAddress.resolve(host: uri.host, port: uri.port)
        } catch {
            return .failure(Refusal(description: "\(error)"))
        }
        for address in addresses {
            if let reason = allow.refusal(of: address, host: uri.host, isSecure: uri.isSecure) {
                return .failure(Refusal(description: "refused to call \(uri.host): \(reason)"))
            }
        }
        return addresses.isEmpty ? .failure(Refusal(description: "\(uri.host) has no address")) : .success(addresses)
    }
}
