import TestKit

/// One job of a run.
struct ChaosJob: Sendable {
    static let count = 2_000

    let number: Int
    /// Its first attempt fails.
    let fails: Bool
    /// It runs a program, the second witness. Other jobs have built-in handlers.
    let isProgram: Bool
    /// Its program runs long enough to lose its lease in between.
    let isSlow: Bool

    static func all(seed: UInt64) -> [ChaosJob] {
        var random = SeededGenerator(seed: seed ^ 0x6a6f_6273)
        return (0..<count).map { number in
            ChaosJob(
                number: number, fails: Int.random(in: 0..<10, using: &random) < 3,
                isProgram: Bool.random(using: &random), isSlow: Int.random(in: 0..<40, using: &random) == 0)
        }
    }

    /// The tag of the job is its number.
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

    /// The program of the type `witness`: it appends its actions to the file in `EFFECTS`, each line with one write.
    static let program = """
        read -r payload
        record() {
            echo "$1 $JOBQUEUE_JOB_ID $JOBQUEUE_ATTEMPT $JOBQUEUE_LEASE_TOKEN" >> "$EFFECTS"
        }
        record began
        case $payload in *'"slow":true'*) sleep 1.5 ;; esac
        case $JOBQUEUE_ATTEMPT:$payload in 1:*'"fails":true'*) record failed; exit 1 ;; esac
        record done
        echo "$JOBQUEUE_LEASE_TOKEN"
        """
}
