#!/bin/bash
# Runs the Kotlin tests of the control plane on the JVM: the committed bindings against the library of this tree. Maven fetches
# what it needs once.
#   tests/kotlin.sh             ends with `test result: ok. N passed; ...`, as cargo's tests do
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/surefire.sh
die() { printf 'kotlin: error: %s\n' "$*" >&2; exit 1; }

for tool in java mvn; do
    command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh test"
done
cargo build --locked --quiet -p underpass-jni

rm -rf target/kotlin/surefire-reports
status=0
# It prints codes of colours even where it has none to show.
flock target/kotlin.lock mvn --batch-mode --quiet --no-transfer-progress -f tests/kotlin/pom.xml verify 2>&1 | sed 's/\x1b\[[0-9;]*m//g' || status=$?

# What ran.
count() { reported "$1" target/kotlin/surefire-reports/TEST-*.xml; }
tests=$(count tests) failed=$(($(count failures) + $(count errors))) ignored=$(count skipped)
[ "$tests" -gt 0 ] || die "no test ran"
printf 'test result: %s. %d passed; %d failed; %d ignored\n' \
    "$([ "$status" = 0 ] && echo ok || echo FAILED)" $((tests - failed - ignored)) "$failed" "$ignored"
exit "$status"
