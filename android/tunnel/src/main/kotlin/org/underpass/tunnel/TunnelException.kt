package org.underpass.tunnel

/** Why the library refuses. [number] is the code that C and Swift have for it; `null` in [of] is a code of a newer library. */
public enum class ErrorCode(public val number: Int, internal val words: String) {
    CLOSED(-1, "the tunnel was closed"),
    SIZE(-2, "a record has a size that the library does not know"),
    ARGUMENT(-3, "an argument is out of its range"),
    BUFFER(-4, "the memory for the answer is too short"),
    OVERLAP(-5, "two buffers of a batch share memory"),
    BATCH(-6, "the batch has more slots than it may have"),
    KEY(-7, "the text or the bytes are no key"),
    CONFIG(-8, "the configuration has errors"),
    LOW_ORDER_KEY(-9, "a public key is one that no peer can have"),
    TOO_MANY_PEERS(-10, "there are more peers than the limits allow"),
    PREFIX(-11, "a prefix is too long for its address"),
    MTU(-12, "the MTU is outside 68 to 65535"),
    LIMIT(-13, "a limit is zero or too large"),
    NO_PEER(-14, "the tunnel has no such peer"),
    JOB(-15, "the job is not one for this step"),
    RANDOM(-16, "the system gives no randomness"),
    BUSY(-17, "another call is under way"),
    PANIC(-18, "a bug in the library stopped this call; close the tunnel"),
    POISONED(-19, "a bug in the library stopped an earlier call; close the tunnel"),
    MEMORY(-20, "there is no memory for what was asked"),

    /** Of Kotlin alone: the native library cannot be loaded. */
    LIBRARY(-1001, "the native library cannot be loaded"),

    /** Of Kotlin alone: the data plane stopped, or did not start. The message says why. */
    DATA_PLANE(-1002, "the data plane stopped"),
    ;

    public companion object {
        @JvmStatic
        public fun of(number: Int): ErrorCode? = entries.firstOrNull { it.number == number }
    }
}

/** A call that the library refused. [code] is the number that every interface of the library has for the reason. No secret is in it. */
public open class TunnelException internal constructor(
    public val code: Int,
    message: String,
    cause: Throwable? = null,
) : RuntimeException(message, cause) {
    /** The reason; `null`: one that this version of the class does not know. */
    public val error: ErrorCode? get() = ErrorCode.of(code)

    internal constructor(error: ErrorCode, detail: String? = null, cause: Throwable? = null) :
        this(error.number, if (detail.isNullOrEmpty()) error.words else "${error.words}: $detail", cause)
}

/** A text that is no configuration. [diagnostics] has all that was found; [more] counts what was too much to list. */
public class ConfigException internal constructor(
    public val diagnostics: List<ConfigDiagnostic>,
    public val more: Long,
) : TunnelException(ErrorCode.CONFIG, diagnostics.firstOrNull { it.isError }?.toString())

/** One finding in the text of a configuration. It repeats no value of the text, so it can be shown and logged. */
public data class ConfigDiagnostic(
    /** Whether it is an error, and there is no configuration; else a warning. */
    public val isError: Boolean,
    /** From 1. */
    public val line: Int,
    /** From 1, in characters. */
    public val column: Int,
    /** The section of the line; `null`: before the first one. */
    public val section: Section?,
    /** The key of the line in its usual spelling, if it is a known one. */
    public val key: String?,
    /** What it is, in English. */
    public val reason: String,
) {
    public enum class Section { INTERFACE, PEER }

    override fun toString(): String = "line $line, column $column: ${if (key == null) "" else "$key: "}$reason"
}
