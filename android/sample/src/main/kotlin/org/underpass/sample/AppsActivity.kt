package org.underpass.sample

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.ArrayAdapter
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.ListView

/** Which applications use the VPN. */
class AppsActivity : Activity() {
    lateinit var list: ListView
        private set
    lateinit var onlyThese: CheckBox
        private set
    private lateinit var packages: List<String>

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val settings = Settings(this)
        val launchers = packageManager.queryIntentActivities(Intent(Intent.ACTION_MAIN).addCategory(Intent.CATEGORY_LAUNCHER), 0)
        val names = launchers.map { it.activityInfo.packageName to "${it.loadLabel(packageManager)}" }.filter { it.first != packageName }
        // What was chosen and is gone stays chosen, and can be taken back.
        val gone = (settings.apps - names.map { it.first }.toSet()).map { it to it }
        val shown = (names + gone).distinctBy { it.first }.sortedBy { it.second.lowercase() }
        packages = shown.map { it.first }
        onlyThese = CheckBox(this).apply { setText(R.string.only_these); isChecked = settings.onlyThese }
        list = ListView(this).apply {
            choiceMode = ListView.CHOICE_MODE_MULTIPLE
            adapter = ArrayAdapter(this@AppsActivity, android.R.layout.simple_list_item_multiple_choice, shown.map { it.second })
            packages.forEachIndexed { index, name -> setItemChecked(index, name in settings.apps) }
        }
        val column = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL; fitsSystemWindows = true }
        column.addView(onlyThese)
        column.addView(list as View, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
        setContentView(column)
    }

    override fun onPause() {
        val settings = Settings(this)
        settings.onlyThese = onlyThese.isChecked
        settings.apps = packages.filterIndexed { index, _ -> list.isItemChecked(index) }.toSet()
        super.onPause()
    }
}
