// The control plane, the data plane and their native library: what an application that writes its own service takes.
plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.underpass.tunnel"
    compileSdk = libs.versions.compile.sdk.get().toInt()
    defaultConfig {
        minSdk = libs.versions.min.sdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }
    sourceSets {
        getByName("main") {
            // The generated classes are committed, so nobody needs their generator.
            kotlin.srcDirs("src/main/kotlin", "../../bindings/uniffi/generated/kotlin")
            // libunderpass_jni.so for each ABI, see README.md.
            jniLibs.srcDirs("src/main/jniLibs")
        }
        getByName("test") { kotlin.srcDirs("src/test/kotlin") }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.toVersion(libs.versions.jvm.target.get())
        targetCompatibility = JavaVersion.toVersion(libs.versions.jvm.target.get())
    }
    packaging { jniLibs { useLegacyPackaging = false } }
    testOptions {
        unitTests.all {
            it.useJUnitPlatform()
            // The library of the machine that the tests run on: cargo build -p underpass-jni.
            it.systemProperty("uniffi.component.underpass.libraryOverride", rootDir.resolve("../target/debug/libunderpass_jni.so").path)
        }
    }
    publishing { singleVariant("release") { withSourcesJar() } }
}

kotlin {
    // A warning, since the generated classes say less than they could; tests/android.sh refuses those of ours.
    explicitApiWarning()
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.fromTarget(libs.versions.jvm.target.get())) }
}

dependencies {
    api(libs.coroutines.core)
    implementation("${libs.jna.get()}@aar")
    testImplementation(libs.jna)
    testImplementation(libs.junit5)
    testImplementation(libs.kotlin.test.junit5)
}
