package org.underpass.sample

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.collectLatest
import kotlinx.coroutines.launch
import org.underpass.tunnel.service.UnderpassVpnService

/** The latest events, as lines. No key but public ones is in them. */
object EventLog {
    private const val LINES = 200
    private val mutable = MutableStateFlow<List<String>>(emptyList())
    val lines: StateFlow<List<String>> = mutable

    fun add(line: String) {
        mutable.value = (mutable.value + line).takeLast(LINES)
    }

    /** Writes down what happens, as long as [scope] lives. */
    fun follow(scope: CoroutineScope) {
        scope.launch { UnderpassVpnService.state.collect { add("$it") } }
        scope.launch { UnderpassVpnService.warnings.collect { all -> all.forEach { add("warning: $it") } } }
        scope.launch { UnderpassVpnService.tunnel.collectLatest { tunnel -> tunnel?.events?.collect { add("$it") } } }
    }
}
