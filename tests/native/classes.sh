#!/bin/bash
# Sourced by tests that need the classes of the Kotlin modules. The caller stands in the project's folder and has sourced
# android/modules.sh. A module is compiled under a lock, since other tests may compile it at the same time.

# up_to_date: the classes of the module are there, and not older than what they are made from.
up_to_date() {
    [ -d "$compiled/META-INF" ] && [ -z "$(find ${sources//,/ } -name '*.kt' -newer "$compiled/META-INF" -print -quit)" ]
}

# compile: compiles all modules where that is to be done.
compile() {
    local line name namespace compiled sources depends
    for line in "${modules[@]}"; do
        module "$line"
        case $compiled in
            target/kotlin/*) compile_by kotlin -f tests/kotlin/pom.xml -DskipTests ;;
            *) compile_by android -f tests/android/pom.xml -pl "$name" -am ;;
        esac || return
    done
}

# compile_by LOCK ARGUMENT...: has Maven compile the module of the caller's variables.
compile_by() {
    local lock
    mkdir -p target && exec {lock}>"target/$1.lock" && flock "$lock" || return
    shift
    up_to_date || mvn --batch-mode --quiet --no-transfer-progress "$@" compile
    local status=$?
    exec {lock}>&-
    return $status
}

# classes JAR NAME: those of one module.
classes() {
    local line name namespace compiled sources depends
    compile || return
    for line in "${modules[@]}"; do
        module "$line"
        [ "$name" != "$2" ] || jar --create --file "$1" -C "$compiled" .
    done
}
