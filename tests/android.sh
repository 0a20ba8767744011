#!/bin/bash
# Builds the modules of android/ against the real framework, runs their tests under Robolectric, and checks what they use of Android
# against the list of its public API. Maven and npm fetch what they need once.
#   tests/android.sh            ends with `test result: ok. N passed; ...`, as cargo's tests do
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

min_sdk=24
# The list of the public API, with the version of each member.
types=9.1.1
built=target/android

. tests/surefire.sh
die() { printf 'android: error: %s\n' "$*" >&2; exit 1; }

for tool in java javap mvn npm python3 aapt2; do
    command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh test"
done
[ -e /usr/share/android-framework-res/framework-res.apk ] || die "there are no resources of the framework: run tests/setup.sh test"

# A step that is no test of Maven's counts as one.
passed=0 failed=0
check() { if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi; }

list=${XDG_CACHE_HOME:-$HOME/.cache}/underpass/types-android-$types
if [ ! -e "$list/package" ]; then
    mkdir -p "$list.$$" && (cd "$list.$$" && npm pack --silent "@nativescript/types-android@$types" >/dev/null && tar -xzf ./*.tgz) \
        || die "npm does not give @nativescript/types-android@$types"
    rm -rf "$list" && mv "$list.$$" "$list"
fi

cargo build --locked --quiet -p underpass-jni
check tests/android/same.py
tests/android/resources.sh "$built/resources"

rm -rf "$built"/*/surefire-reports
status=0
flock target/android.lock mvn --batch-mode --no-transfer-progress -Dstyle.color=never -Dmaven.test.failure.ignore=true -f tests/android/pom.xml verify \
    > "$built/maven.log" 2>&1 || status=$?
grep -E '^\[ERROR\]' "$built/maven.log" || true
[ "$status" = 0 ] || failed=$((failed + 1))

# API 36 needs Java 21 or newer. Where it is installed, the tests of what differs by version run on API 36 too, and their reports
# end in -36.
newest_api=16-robolectric-13921718
newer_java() {
    local java version
    for java in java /usr/lib/jvm/*/bin/java; do
        version=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.specification.version = //p')
        [[ $version =~ ^[0-9]+$ ]] && [ "$version" -ge 21 ] || continue
        command -v "$java"
        return
    done
}
on_the_newest() {
    local maven=(mvn --batch-mode --no-transfer-progress -Dstyle.color=never -f tests/android/pom.xml)
    "${maven[@]}" --non-recursive dependency:copy "-Dartifact=org.robolectric:android-all-instrumented:$newest_api-i7" \
        "-DoutputDirectory=$PWD/$built/frameworks" && flock target/android.lock "${maven[@]}" -pl tunnel-service -am "-Djvm=$1" \
        -Drobolectric.sdks=36 -Dtest=InterfaceBranchTest -Dsurefire.failIfNoSpecifiedTests=false -Dsurefire.reportNameSuffix=36 verify
} > "$built/maven-36.log" 2>&1
newer=$(newer_java)
if [ -n "$newer" ]; then
    check on_the_newest "$newer"
    grep -E '^\[ERROR\]' "$built/maven-36.log" || true
    ls "$built"/tunnel-service/surefire-reports/TEST-*-36.xml >/dev/null || failed=$((failed + 1))
else
    echo "android: there is no Java 21 or newer: API 36 is not run"
fi

# What is public says so: the compiler only warns, since the generated classes do not.
explicit() { ! grep -E 'android/tunnel/src/main/.*explicit API mode' "$built/maven.log"; }
check explicit

check tests/android/api.py "$list/package/lib/android/android-platform-21-37-merged.d.ts" tests/android/newer-api.txt "$min_sdk" \
    "$built/tunnel/classes" "$built/tunnel-service/classes" "$built/sample/classes"

# What ran.
count() { reported "$1" "$built"/*/surefire-reports/TEST-*.xml; }
tests=$(count tests) broken=$(($(count failures) + $(count errors))) ignored=$(count skipped)
[ "$tests" -gt 0 ] || die "no test ran"
passed=$((passed + tests - broken - ignored)) failed=$((failed + broken))
printf 'test result: %s. %d passed; %d failed; %d ignored\n' \
    "$([ $((failed + ignored)) = 0 ] && echo ok || echo FAILED)" "$passed" "$failed" "$ignored"
[ $((failed + ignored)) = 0 ]
