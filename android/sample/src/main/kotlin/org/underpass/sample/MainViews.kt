package org.underpass.sample

import android.content.Context
import android.graphics.Typeface
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView

/** What the screen shows, from top to bottom. */
class MainViews(context: Context) {
    val state = TextView(context).apply { textSize = 22f }
    val connect = Button(context)
    val statistics = TextView(context)
    val graph = ThroughputGraph(context)
    val file = Button(context).apply { setText(R.string.import_file) }
    val paste = Button(context).apply { setText(R.string.paste) }
    val scan = Button(context).apply { setText(R.string.scan) }
    val apps = Button(context).apply { setText(R.string.apps) }
    val local = CheckBox(context).apply { setText(R.string.local) }
    val log = TextView(context).apply { typeface = Typeface.MONOSPACE; textSize = 11f }

    private val column = LinearLayout(context).apply {
        orientation = LinearLayout.VERTICAL
        val edge = (16 * resources.displayMetrics.density).toInt()
        setPadding(edge, edge, edge, edge)
    }

    val root = ScrollView(context).apply { fitsSystemWindows = true }

    init {
        for (view in listOf(state, connect, statistics)) column.addView(view)
        column.addView(graph, LinearLayout.LayoutParams.MATCH_PARENT, (120 * context.resources.displayMetrics.density).toInt())
        for (view in listOf(file, paste, scan, apps, local, log)) column.addView(view)
        root.addView(column)
    }
}
