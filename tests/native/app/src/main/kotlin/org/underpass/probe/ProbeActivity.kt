package org.underpass.probe

import android.app.Activity
import android.os.Bundle
import android.widget.TextView
import org.underpass.tunnel.internal.libraryVersion

/** Shows the version of the native library. */
class ProbeActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(TextView(this).apply { text = libraryVersion() })
    }
}
