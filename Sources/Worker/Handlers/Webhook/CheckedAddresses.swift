internal import EventLoop
internal import HTTP
internal import Synchronization
internal import Values

/// The checked addresses of a webhook's host. Connections are made only to addresses from here: with a second lookup
/// after the check, the name could have other addresses (DNS rebinding).
final class CheckedAddresses: Sendable {
    /// The host has no address, its name cannot be resolved, or one of its addresses is not allowed.
    struct LookupError: Error, CustomStringConvertible {
        let description: String
    }

    private typealias Lookup = Task<Result<[SocketAddress], LookupError>, Never>

    private let uri: AbsoluteURI
    private let allow: WebhookAllowList
    private let loop: Loop
    private let latest = Mutex<(lookup: Lookup, expires: MonotonicInstant)?>(nil)

    init(_ uri: AbsoluteURI, allow: WebhookAllowList, on loop: Loop) {
        self.uri = uri
        self.allow = allow
        self.loop = loop
    }

    /// At least one address, in the order in which to try them. Concurrent attempts share one lookup.
    func addresses() async throws(LookupError) -> [SocketAddress] {
        let now = MonotonicInstant.now()
        let lookup = latest.withLock { latest in
            if let latest, now < latest.expires { return latest.lookup }
            let lookup = Lookup(executorPreference: loop) { [uri, allow] in await Self.lookUp(uri, allow) }
            latest = (lookup, now + WebhookLimits.addressLifetime)
            return lookup
        }
        let result = await lookup.value
        if case .failure = result { discard(lookup) }
        return try result.get()
    }

    /// Removes a failed lookup, so that the next attempt starts another.
    private func discard(_ lookup: Lookup) {
        latest.withLock { latest in
            if latest?.lookup == lookup { latest = nil }
        }
    }

    /// One address that is not allowed denies the host: a name with public and private addresses is an attack or a
    /// mistake.
    private static func lookUp(
        _ uri: AbsoluteURI, _ allow: WebhookAllowList
    ) async -> Result<[SocketAddress], LookupError> {
        let addresses: [SocketAddress]
        do throws(SocketAddress.ResolutionError) {
            addresses = try await SocketAddress.resolve(host: uri.host, port: uri.port)
        } catch {
            return .failure(LookupError(description: "\(error)"))
        }
        for address in addresses {
            if let reason = allow.reasonToDeny(address, host: uri.host, isSecure: uri.isSecure) {
                return .failure(LookupError(description: "\(uri.host) is not an allowed destination: \(reason)"))
            }
        }
        return addresses.isEmpty
            ? .failure(LookupError(description: "\(uri.host) has no address")) : .success(addresses)
    }
}
