#!/bin/bash
# Sourced by tests that need the classes of the Kotlin modules. The caller stands in the project's folder and has sourced
# android/modules.sh.

# compiled: the classes of all modules are there, and not older than what they are made from.
compiled() {
    local line name namespace compiled sources depends
    for line in "${modules[@]}"; do
        module "$line"
        [ -d "$compiled/META-INF" ] || return 1
        [ -z "$(find ${sources//,/ } -name '*.kt' -newer "$compiled/META-INF" -print -quit)" ] || return 1
    done
}

# compile: compiles them where that is to be done.
compile() {
    compiled || mvn --batch-mode --quiet --no-transfer-progress -f tests/kotlin/pom.xml -DskipTests compile
}

# classes JAR: all of them in one.
classes() {
    local line name namespace compiled sources depends arguments=()
    compile || return
    for line in "${modules[@]}"; do
        module "$line"
        arguments+=(-C "$compiled" .)
    done
    jar --create --file "$1" "${arguments[@]}"
}
