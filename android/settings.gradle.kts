// What Android Studio opens. The same source folders are built by Maven in tests/android, which is what this project's own tests run;
// tests/android.sh holds both to the same sources, versions and SDK levels.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "underpass-android"
include(":tunnel", ":tunnel-service", ":sample")
