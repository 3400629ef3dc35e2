/// The Prometheus text exposition format, version 0.0.4.
public enum PrometheusText {
    /// The `Content-Type` of the page.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The page with the merged families, sorted by name (see `MetricFamily.merged`). Every family has HELP and TYPE,
    /// even without series.
    public static func page(_ families: [MetricFamily]) -> [UInt8] {
        var page: [UInt8] = []
        page.reserveCapacity(16 * 1024)
        for family in MetricFamily.merged(families) {
            let declaration = family.declaration
            page.append(contentsOf: "# HELP \(declaration.name) ".utf8)
            appendEscaped(declaration.help, escapingQuotes: false, to: &page)
            page.append(contentsOf: "\n# TYPE \(declaration.name) \(declaration.kind.rawValue)\n".utf8)
            for sample in family.samples {
                appendSeries(of: sample, declaration, to: &page)
                page.append(UInt8(ascii: " "))
                page.append(contentsOf: number(sample.value).utf8)
                page.append(UInt8(ascii: "\n"))
            }
        }
        return page
    }

    /// Appends the name and labels of a sample: `job_wait_seconds_bucket{queue="mail",le="0.5"}`.
    static func appendSeries(of sample: MetricSample, _ declaration: MetricDeclaration, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: declaration.name.utf8)
        bytes.append(contentsOf: sample.part.suffix.utf8)
        var opening = UInt8(ascii: "{")
        func appendLabel(_ name: String, _ value: String) {
            bytes.append(opening)
            opening = UInt8(ascii: ",")
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: "=\"".utf8)
            appendEscaped(value, escapingQuotes: true, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        for (name, value) in zip(declaration.labels, sample.labelValues) {
            appendLabel(name, value)
        }
        if case .bucket(let upperBound) = sample.part {
            appendLabel("le", number(upperBound))
        }
        if opening == UInt8(ascii: ",") { bytes.append(UInt8(ascii: "}")) }
    }

    /// Integers without a fraction, other numbers in the shortest form that parses to the same value.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value)?.description ?? value.description
    }

    /// Escapes backslash, line feed and, in label values, the double quote.
    private static func appendEscaped(_ text: String, escapingQuotes: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\"") where escapingQuotes: bytes.append(contentsOf: #"\""#.utf8)
            default: bytes.append(byte)
            }
        }
    }
}
