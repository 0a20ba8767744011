// What is wrong or odd in a configuration.
import UnderpassBindings

/// One finding in the text of a configuration. It repeats nothing of the text's values, so it can be logged and shown.
public struct ConfigurationFinding: Sendable, Hashable, CustomStringConvertible {
    public enum Section: Sendable, Hashable { case interface, peer }

    public let isError: Bool
    /// From 1.
    public let line: Int
    /// From 1, in characters.
    public let column: Int
    public let section: Section?
    /// The key of the line in its usual spelling, if it is a known one.
    public let key: String?
    /// What it is, in English.
    public let reason: String

    public var description: String { "line \(line), column \(column): \(key.map { "\($0): " } ?? "")\(reason)" }

    init(_ found: Diagnostic) {
        isError = found.severity == .error
        line = Int(found.line)
        column = Int(found.column)
        section = found.section.map { $0 == .interface ? .interface : .peer }
        key = found.key
        reason = found.reason
    }
}

/// Why there is no configuration: the first error of the text, and all that was found. Where no text is at fault, `line` is nil.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The number that every interface of the library has for the reason.
    public let code: Int32
    public let reason: String
    public let findings: [ConfigurationFinding]
    /// How many more there are.
    public let moreFindings: UInt64

    private var first: ConfigurationFinding? { findings.first { $0.isError } }
    public var line: Int? { first?.line }
    public var column: Int? { first?.column }
    public var section: ConfigurationFinding.Section? { first?.section }
    public var key: String? { first?.key }
    public var description: String { first?.description ?? reason }

    init(thrown error: any Error) {
        if case UnderpassBindings.TunnelError.Config(let diagnostics, let more) = error {
            findings = diagnostics.map(ConfigurationFinding.init)
            moreFindings = more
            reason = findings.first { $0.isError }?.reason ?? "the configuration has errors"
            code = TunnelError.Kind.config.rawValue
        } else {
            let refusal = TunnelError(thrown: error)
            (findings, moreFindings, reason, code) = ([], 0, refusal.message, refusal.code)
        }
    }
}
