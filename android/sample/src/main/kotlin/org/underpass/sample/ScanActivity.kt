package org.underpass.sample

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import android.view.TextureView
import android.widget.Toast

/** Looks through the camera for a QR code, and gives its text back as [TEXT]. */
class ScanActivity : Activity(), TextureView.SurfaceTextureListener {
    private lateinit var view: TextureView
    private lateinit var thread: HandlerThread
    private lateinit var handler: Handler
    private var reader: ImageReader? = null
    private var camera: CameraDevice? = null
    private var preview: Surface? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        thread = HandlerThread("scan").apply { start() }
        handler = Handler(thread.looper)
        view = TextureView(this).also { it.surfaceTextureListener = this }
        setContentView(view)
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), 0)
        }
    }

    override fun onRequestPermissionsResult(request: Int, permissions: Array<String>, results: IntArray) {
        if (results.firstOrNull() == PackageManager.PERMISSION_GRANTED) view.surfaceTexture?.let(::open) else giveUp()
    }

    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) open(texture)
    }

    private fun open(texture: SurfaceTexture) {
        val manager = getSystemService(CameraManager::class.java)
        try {
            if (manager == null) return giveUp()
            val all = manager.cameraIdList
            val id = all.firstOrNull { isAtTheBack(manager, it) } ?: all.firstOrNull() ?: return giveUp()
            texture.setDefaultBufferSize(WIDTH, HEIGHT)
            preview = Surface(texture)
            reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2).also { it.setOnImageAvailableListener(::look, handler) }
            manager.openCamera(id, opened, handler)
        } catch (_: CameraAccessException) {
            giveUp()
        } catch (_: SecurityException) {
            giveUp()
        }
    }

    private fun isAtTheBack(manager: CameraManager, id: String) =
        manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING) == CameraCharacteristics.LENS_FACING_BACK

    private val opened = object : CameraDevice.StateCallback() {
        override fun onOpened(device: CameraDevice) {
            camera = device
            val targets = listOfNotNull(preview, reader?.surface)
            val request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
                targets.forEach(::addTarget)
                set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
            }
            @Suppress("DEPRECATION") // What took its place is of API 28.
            device.createCaptureSession(
                targets,
                object : CameraCaptureSession.StateCallback() {
                    override fun onConfigured(session: CameraCaptureSession) {
                        session.setRepeatingRequest(request.build(), null, handler)
                    }

                    override fun onConfigureFailed(session: CameraCaptureSession) = giveUp()
                },
                handler,
            )
        }

        override fun onDisconnected(device: CameraDevice) = device.close()

        override fun onError(device: CameraDevice, error: Int) {
            device.close()
            giveUp()
        }
    }

    private fun look(reader: ImageReader) {
        val said = reader.acquireLatestImage()?.use(::textOf) ?: return
        runOnUiThread {
            setResult(RESULT_OK, Intent().putExtra(TEXT, said))
            finish()
        }
    }

    private fun textOf(image: Image): String? {
        val plane = image.planes[0]
        val bytes = ByteArray(plane.buffer.remaining()).also { plane.buffer.get(it) }
        return QrCode.of(bytes, plane.rowStride, image.width, image.height)
    }

    private fun giveUp() = runOnUiThread {
        Toast.makeText(this, R.string.no_camera, Toast.LENGTH_LONG).show()
        finish()
    }

    override fun onDestroy() {
        camera?.close()
        reader?.close()
        preview?.release()
        thread.quitSafely()
        super.onDestroy()
    }

    override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = Unit

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean = true

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    companion object {
        const val TEXT = "text"
        private const val WIDTH = 1280
        private const val HEIGHT = 720
    }
}
