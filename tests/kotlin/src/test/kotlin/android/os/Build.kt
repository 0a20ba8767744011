package android.os

/** The version of Android that Phone.kt plays. */
object Build {
    object VERSION {
        @JvmField
        var SDK_INT: Int = VERSION_CODES.R
    }

    object VERSION_CODES {
        const val R: Int = 30
    }
}
