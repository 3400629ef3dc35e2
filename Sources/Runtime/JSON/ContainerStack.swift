/// The objects and arrays that are open at a point of a document, outermost first.
///
/// One bit a level: the first 64 levels cost no allocation, and depth costs no recursion.
struct ContainerStack: Sendable {
    private(set) var depth = 0
    /// The innermost levels, at most 64, the innermost in the lowest bit; 1 is an object.
    private var innermost: UInt64 = 0
    /// Full words of levels further out.
    private var outer: [UInt64] = []

    var isInObject: Bool { depth > 0 && innermost & 1 == 1 }

    var isInArray: Bool { depth > 0 && innermost & 1 == 0 }

    mutating func push(isObject: Bool) {
        if depth > 0, depth % 64 == 0 {
            outer.append(innermost)
        }
        innermost = innermost &<< 1 | (isObject ? 1 : 0)
        depth += 1
    }

    mutating func pop() {
        depth -= 1
        innermost = innermost &>> 1
        if depth > 0, depth % 64 == 0 {
            innermost = outer.removeLast()
        }
    }
}
