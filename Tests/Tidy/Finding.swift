/// A place where the repository breaks one of its own rules.
struct Finding: Hashable, CustomStringConvertible {
    var path: String
    var line: Int?
    var message: String

    var description: String {
        "\(path):\(line.map { "\($0):" } ?? "") \(message)"
    }
}
