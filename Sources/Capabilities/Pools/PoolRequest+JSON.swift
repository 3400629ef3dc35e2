public import JSON

extension PoolRequest {
    private enum Member: String, CaseIterable {
        case size, workloads, handler, reason
        case updatedBy = "updated_by"
    }

    private static let members = ObjectMembers<Member>(required: [.size, .workloads, .handler])

    /// Reads the configuration of the pool `name`. Incomplete after noting what is wrong.
    public static func read(_ input: inout InputReader, name: String) throws(JSONSyntaxError) -> PoolRequest {
        var request = PoolRequest(spec: PoolSpec(name: name, size: nil, workloads: [], handler: ""))
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .size: request.spec.size = try input.integer(in: PoolLimits.size, or: "auto")
            case .workloads: request.spec.workloads = try readWorkloads(&input)
            case .handler: request.spec.handler = try input.text(.name) ?? ""
            case .reason: request.reason = try input.text(.reason)
            case .updatedBy: request.updatedBy = try input.text(.actor)
            }
        }
        return request
    }

    private static func readWorkloads(_ input: inout InputReader) throws(JSONSyntaxError) -> [String] {
        var workloads: [String] = []
        var seen: Set<String> = []
        try input.array(0...PoolLimits.workloadsMax, of: "workloads") { input throws(JSONSyntaxError) in
            guard let name = try input.text(.name) else { return }
            if seen.insert(name).inserted { workloads.append(name) } else { input.add("appears more than once") }
        }
        return workloads
    }
}
