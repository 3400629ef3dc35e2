/// The open objects and arrays at a position of a document, outermost first.
///
/// Each level takes one bit: the first 64 levels need no allocation, and nesting needs no recursion.
struct ContainerStack: Sendable {
    private(set) var depth = 0
    /// Up to 64 innermost levels, the innermost in the lowest bit; 1 for an object, 0 for an array.
    private var innermost: UInt64 = 0
    /// Words of 64 levels each, outermost first.
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
