/// A first-in, first-out queue in one array. Removal leaves a gap in front, which is closed when it is half of the
/// array, so that appending and removing cost amortised constant time.
public struct FIFO<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0

    @inlinable
    public init() {}

    @inlinable public var count: Int { elements.count - head }
    @inlinable public var isEmpty: Bool { head == elements.count }

    /// The element at `index`, where 0 is the oldest.
    @inlinable
    public subscript(index: Int) -> Element {
        get { elements[head + index]! }
        _modify { yield &elements[head + index]! }
    }

    @inlinable public var first: Element? { isEmpty ? nil : elements[head] }

    @inlinable
    public mutating func append(_ element: Element) {
        elements.append(element)
    }

    @inlinable
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
    @inlinable
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
