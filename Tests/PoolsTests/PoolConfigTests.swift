import JSON
import Testing

@testable import Pools

@Suite struct PoolConfigTests {
    @Test func `each member has its workloads and their version`() {
        let lists = [
            MemberList(member: "swarm-worker-0", version: 3, workloads: ["stream:a", "true"]),
            MemberList(member: "swarm-worker-1", version: 12, workloads: []),
        ]
        #expect(
            PoolConfig.yaml(lists) == """
                workloads:
                  swarm-worker-0:
                    jobs: ["stream:a", "true"]
                    version: 3
                  swarm-worker-1:
                    jobs: []
                    version: 12

                """)
        #expect(PoolConfig.yaml([]) == "workloads: {}\n")
    }

    @Test(arguments: [
        ("0", "\"0\""), ("yes", "\"yes\""), ("a:b", "\"a:b\""), ("a b", "\"a b\""), ("a\"\\\n", "\"a\\\"\\\\\\x0a\""),
        ("host.example-1", "host.example-1"),
    ])
    func `the name of a member stays a string in YAML`(name: String, key: String) {
        let text = PoolConfig.yaml([MemberList(member: name, version: 1, workloads: [])])
        #expect(text.contains("\n  \(key):\n"))
    }

    @Test func `names have the alphabet of job types`() {
        for name in ["a", "stream:xxrtve1", "A-Z/0._9"] { #expect(TextRule.name.accepts(name)) }
        for name in ["", "a b", "é", "a\n", String(repeating: "a", count: 129)] {
            #expect(!TextRule.name.accepts(name))
        }
    }
}
