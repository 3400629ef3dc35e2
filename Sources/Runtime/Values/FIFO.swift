/// A first-in, first-out queue in one array. Removal leaves a gap in front, which is closed when it is half of the
/// array, so that appending and removing cost amortised constant time.
public struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    public init() {}

    public var count: Int { elements.count - head }
    public var isEmpty: Bool { head == elements.count }

    /// The element at `index`, where 0 is the oldest.
    public subscript(index: Int) -> Element {
        get { elements[head + index]! }
        _modify { yield &elements[head + index]! }
    }

    public var first: Element? { isEmpty ? nil : elements[head] }

    public mutating func append(_ element: Element) {
        elements.append(element)
    }

    public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head].take()
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 32 && head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Removes the first element for which `predicate` holds.
    public mutating func removeFirst(where predicate: (Element) -> Bool) -> Element? {
        for index in head..<elements.count {
            if let element = elements[index], predicate(element) {
                elements.remove(at: index)
                return element
            }
        }
        return nil
    }
}
