package org.underpass.sample

import android.content.ContentResolver
import android.graphics.BitmapFactory
import android.net.Uri
import org.underpass.tunnel.ConfigException
import org.underpass.tunnel.TunnelConfig
import java.io.ByteArrayInputStream
import java.io.IOException
import java.io.InputStream
import java.util.zip.ZipInputStream

/** Reads configurations from what the user hands over: a text, a zip of texts, a picture of a QR code. */
object ConfigImport {
    /** One text: a configuration or why it is none. */
    class Found(val name: String, val config: TunnelConfig?, val problem: String?)

    private const val MAX_TEXT = 256 * 1024
    private const val MAX_FILE = 16 * 1024 * 1024
    private const val MAX_ENTRIES = 200

    /** Of a file. [IOException]: it cannot be read. Not on the main thread. */
    fun of(resolver: ContentResolver, uri: Uri): List<Found> {
        val bytes = resolver.openInputStream(uri)?.use { bounded(it, MAX_FILE) } ?: throw IOException("nothing there")
        return of(uri.lastPathSegment?.substringAfterLast('/') ?: "import", bytes)
    }

    fun of(name: String, bytes: ByteArray): List<Found> = when {
        bytes.startsWith('P'.code, 'K'.code, 3, 4) -> zip(bytes)
        isPicture(bytes) -> listOf(picture(name, bytes))
        bytes.size > MAX_TEXT -> listOf(Found(name, null, "the file is too large"))
        else -> listOf(text(name, String(bytes)))
    }

    fun text(name: String, text: String): Found {
        val title = name.substringAfterLast('/').removeSuffix(".conf").ifEmpty { "import" }
        return try {
            Found(title, TunnelConfig.parse(text), null)
        } catch (refused: ConfigException) {
            Found(title, null, refused.diagnostics.filter { it.isError }.joinToString("\n"))
        }
    }

    private fun picture(name: String, bytes: ByteArray): Found {
        // Large enough for any code, and no more: a picture may claim any size.
        val size = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(bytes, 0, bytes.size, size)
        var sample = 1
        while (maxOf(size.outWidth, size.outHeight) / sample > 2048) sample *= 2
        val bitmap = BitmapFactory.decodeByteArray(bytes, 0, bytes.size, BitmapFactory.Options().apply { inSampleSize = sample })
        val said = bitmap?.let { QrCode.of(it) } ?: return Found(name, null, "no QR code in the picture")
        return text(name.substringBeforeLast('.'), said)
    }

    /** Folders and other files are passed over, and what is one file's fault is not the others'. */
    private fun zip(bytes: ByteArray): List<Found> {
        val found = mutableListOf<Found>()
        var total = 0
        ZipInputStream(ByteArrayInputStream(bytes)).use { zip ->
            while (found.size < MAX_ENTRIES) {
                val entry = zip.nextEntry ?: break
                if (entry.isDirectory || !entry.name.endsWith(".conf")) continue
                val text = try {
                    bounded(zip, MAX_TEXT)
                } catch (large: IOException) {
                    found += Found(entry.name, null, large.message)
                    continue
                }
                total += text.size
                if (total > MAX_FILE) break
                found += text(entry.name, String(text))
            }
        }
        return found
    }

    private fun bounded(stream: InputStream, max: Int): ByteArray {
        val out = java.io.ByteArrayOutputStream()
        val buffer = ByteArray(16 * 1024)
        while (true) {
            val count = stream.read(buffer)
            if (count < 0) return out.toByteArray()
            out.write(buffer, 0, count)
            if (out.size() > max) throw IOException("the file is too large")
        }
    }

    private fun isPicture(bytes: ByteArray) =
        bytes.startsWith(0x89, 'P'.code, 'N'.code, 'G'.code) || bytes.startsWith(0xff, 0xd8, 0xff) || bytes.startsWith('R'.code, 'I'.code, 'F'.code, 'F'.code)

    private fun ByteArray.startsWith(vararg magic: Int) = size >= magic.size && magic.indices.all { this[it] == magic[it].toByte() }
}
