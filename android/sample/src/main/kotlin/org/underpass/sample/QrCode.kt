package org.underpass.sample

import android.graphics.Bitmap
import com.google.zxing.BarcodeFormat
import com.google.zxing.BinaryBitmap
import com.google.zxing.DecodeHintType
import com.google.zxing.LuminanceSource
import com.google.zxing.MultiFormatReader
import com.google.zxing.PlanarYUVLuminanceSource
import com.google.zxing.RGBLuminanceSource
import com.google.zxing.ReaderException
import com.google.zxing.common.HybridBinarizer

/** Finds the text of a QR code. */
object QrCode {
    private val hints = mapOf(DecodeHintType.POSSIBLE_FORMATS to listOf(BarcodeFormat.QR_CODE), DecodeHintType.TRY_HARDER to true)

    fun of(bitmap: Bitmap): String? {
        val pixels = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        return of(RGBLuminanceSource(bitmap.width, bitmap.height, pixels))
    }

    /** Of the first plane of a camera's picture, whose rows may be longer than the picture is wide. */
    fun of(luminance: ByteArray, rowStride: Int, width: Int, height: Int): String? {
        // The last row may end where the picture does.
        val rows = minOf(height, (luminance.size + rowStride - width) / rowStride)
        if (rows <= 0 || width > rowStride) return null
        val whole = if (luminance.size >= rowStride * rows) luminance else luminance.copyOf(rowStride * rows)
        return of(PlanarYUVLuminanceSource(whole, rowStride, rows, 0, 0, width, rows, false))
    }

    private fun of(source: LuminanceSource): String? = try {
        MultiFormatReader().decode(BinaryBitmap(HybridBinarizer(source)), hints).text
    } catch (_: ReaderException) {
        null
    }
}
