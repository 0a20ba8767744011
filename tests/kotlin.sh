#!/bin/bash
# Runs the Kotlin tests of the control plane on the JVM: the committed bindings against the library of this tree. Maven fetches
# what it needs once.
#   tests/kotlin.sh             ends with `test result: ok. N passed; ...`, as cargo's tests do
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'kotlin: error: %s\n' "$*" >&2; exit 1; }

for tool in java mvn; do
    command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh test"
done
cargo build --locked --quiet -p underpass-jni

rm -rf target/kotlin/surefire-reports
status=0
# It prints codes of colours even where it has none to show.
flock target/kotlin.lock mvn --batch-mode --quiet --no-transfer-progress -f tests/kotlin/pom.xml verify 2>&1 | sed 's/\x1b\[[0-9;]*m//g' || status=$?

# What ran, from the reports, since Maven is quiet about what is well.
count() {
    grep -ho '<testsuite [^>]*' target/kotlin/surefire-reports/TEST-*.xml \
        | awk -v word="$1" '{ if (match($0, " " word "=\"[0-9]+\"")) sum += substr($0, RSTART + length(word) + 3) } END { print sum + 0 }'
}
tests=$(count tests) failed=$(($(count failures) + $(count errors))) ignored=$(count skipped)
[ "$tests" -gt 0 ] || die "no test ran"
printf 'test result: %s. %d passed; %d failed; %d ignored\n' \
    "$([ "$status" = 0 ] && echo ok || echo FAILED)" $((tests - failed - ignored)) "$failed" "$ignored"
exit "$status"
