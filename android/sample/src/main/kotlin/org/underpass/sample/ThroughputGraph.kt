package org.underpass.sample

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Path
import android.view.View

/** Bytes per second over the last minute, received and sent. */
class ThroughputGraph(context: Context) : View(context) {
    private val points = Throughput(SECONDS)
    private val received = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = Color.rgb(0x2e, 0x7d, 0x32); style = Paint.Style.STROKE; strokeWidth = 4f }
    private val sent = Paint(received).apply { color = Color.rgb(0x15, 0x65, 0xc0) }

    fun add(rxBytes: Long, txBytes: Long, millis: Long) {
        points.add(rxBytes, txBytes, millis)
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val top = points.highest().coerceAtLeast(1.0)
        canvas.drawPath(line(points.received, top), received)
        canvas.drawPath(line(points.sent, top), sent)
    }

    private fun line(values: List<Double>, top: Double) = Path().apply {
        values.forEachIndexed { index, value ->
            val x = width * (SECONDS - values.size + index) / (SECONDS - 1f)
            val y = height - (height - 4) * (value / top).toFloat()
            if (index == 0) moveTo(x, y) else lineTo(x, y)
        }
    }

    private companion object {
        const val SECONDS = 60
    }
}

/** Rates from counters, the latest [size] of them. */
class Throughput(private val size: Int) {
    val received = ArrayList<Double>()
    val sent = ArrayList<Double>()
    private var last: Triple<Long, Long, Long>? = null

    fun add(rxBytes: Long, txBytes: Long, millis: Long) {
        val before = last
        last = Triple(rxBytes, txBytes, millis)
        // A tunnel that was made anew counts from 0.
        if (before == null || millis <= before.third || rxBytes < before.first || txBytes < before.second) return
        val seconds = (millis - before.third) / 1000.0
        received += (rxBytes - before.first) / seconds
        sent += (txBytes - before.second) / seconds
        if (received.size > size) {
            received.removeAt(0)
            sent.removeAt(0)
        }
    }

    fun highest(): Double = maxOf(received.maxOrNull() ?: 0.0, sent.maxOrNull() ?: 0.0)
}
