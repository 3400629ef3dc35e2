import TestKit

/// One job of a run.
struct ChaosJob: Sendable {
    static let count = 2_000

    let number: Int
    /// Its first attempt fails.
    let fails: Bool
    /// It runs a program, which is the second witness; others are run by the worker itself.
    let isProgram: Bool
    /// Its program takes long enough to lose its lease on the way.
    let isSlow: Bool

    static func all(seed: UInt64) -> [ChaosJob] {
        var random = SeededGenerator(seed: seed ^ 0x6a6f_6273)
        return (0..<count).map { number in
            ChaosJob(
                number: number, fails: Int.random(in: 0..<10, using: &random) < 3,
                isProgram: Bool.random(using: &random), isSlow: Int.random(in: 0..<40, using: &random) == 0)
        }
    }

    /// Its number is its tag.
    var body: String {
        let (type, payload) =
            if isProgram {
                ("witness", #"{"fails":\#(fails),"slow":\#(isSlow)}"#)
            } else if fails {
                ("fail", #"{"times":1}"#)
            } else {
                ("echo", "\(number)")
            }
        return #"{"type":"\#(type)","payload":\#(payload),"tags":["\#(number)"],"#
            + #""backoff":{"kind":"fixed","base_seconds":0.2}}"#
    }

    /// The program of `witness`: it appends what it does to the file that `EFFECTS` names, each line by one write.
    static let program = """
        read -r payload
        tell() {
            echo "$1 $JOBQUEUE_JOB_ID $JOBQUEUE_ATTEMPT $JOBQUEUE_LEASE_TOKEN" >> "$EFFECTS"
        }
        tell began
        case $payload in *'"slow":true'*) sleep 1.5 ;; esac
        case $JOBQUEUE_ATTEMPT:$payload in 1:*'"fails":true'*) tell failed; exit 1 ;; esac
        tell done
        echo "$JOBQUEUE_LEASE_TOKEN"
        """
}
