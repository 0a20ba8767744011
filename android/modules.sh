#!/bin/bash
# Sourced by scripts that need to know the modules of android/ that are published. The caller stands in the project's folder.

# A line each: its name, its namespace, the folder that the tests compile it into (tests/kotlin.sh, tests/android.sh), where its
# sources are, and what it depends on: names of android/gradle/libs.versions.toml, or :MODULE.
modules=(
    "tunnel org.underpass.tunnel target/kotlin/classes bindings/uniffi/generated/kotlin,android/tunnel/src/main/kotlin coroutines-core,jna@aar"
    "tunnel-service org.underpass.tunnel.service target/android/tunnel-service/classes android/tunnel-service/src/main/kotlin :tunnel,coroutines-android"
)
abis=(arm64-v8a armeabi-v7a x86_64)

# module LINE: its words as variables.
module() { read -r name namespace compiled sources depends <<<"$1"; }

# pinned NAME: the version of that name.
pinned() { sed -n "s/^$1 = \"\\(.*\\)\"\$/\\1/p" android/gradle/libs.versions.toml; }

# coordinates NAME: group:artifact:version of a library.
coordinates() {
    sed -n "s/^${1} = { module = \"\\(.*\\)\", version.ref = \"\\(.*\\)\" }\$/\\1 \\2/p" android/gradle/libs.versions.toml |
        { read -r what version && echo "$what:$(pinned "$version")"; }
}
