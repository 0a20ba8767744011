#!/bin/bash
# Builds the Swift package of ios/ in Swift 6 mode and runs its tests, in a Debian trixie that has Swift (tests/trixie/make.sh makes
# it once, in the user's cache). What Apple's frameworks are to the package, ios/Tests/Stubs is here.
#   tests/swift.sh [ARGUMENT...]    of `swift test`; ends with `test result: ok. N passed; ...`, as cargo's tests do
#   tests/swift.sh --prepare        only makes the trixie, where it is missing
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'swift: error: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

trixie=$(tests/trixie/make.sh swift) || die "there is no Debian trixie"
[ "${1:-}" != --prepare ] || exit 0

cargo build --locked --quiet -p underpass-swift
build=$PWD/target/swift
mkdir -p "$build/native"
cp -u target/debug/libunderpass_swift.so "$build/native/"
# The package as it ships has no link that leads out of it.
rm -rf "$build/package"
ios/build-xcframework.sh --sources "$build/package"
[ -z "$(find "$build/package" -type l)" ] || die "the package has links"

status=0 log=$build/log
as_root env PATH="$PATH:/usr/sbin:/sbin" unshare --mount --net --pid --fork --kill-child \
    "$PWD/tests/swift/inside.sh" "$trixie" "$PWD" "$build" "$(id -u):$(id -g)" "$@" </dev/null 2>&1 | tee "$log" || status=$?

# What ran. Each test says its own end, and the run says how many there were: both must agree.
passed=$(grep -cE '^[^ ]+ Test [^ ]*\(.* passed after ' "$log" || true)
failed=$(grep -cE '^[^ ]+ Test [^r].* failed after ' "$log" || true)
ran=$(sed -nE 's/^[^ ]+ Test run with ([0-9]+) tests? .*/\1/p' "$log")
[ "${ran:-0}" -gt 0 ] || die "no test ran"
[ $((passed + failed)) = "$ran" ] || die "$ran tests ran, but $passed passed and $failed failed"
[ "$failed" = 0 ] || status=1
printf 'test result: %s. %d passed; %d failed; 0 ignored\n' "$([ "$status" = 0 ] && echo ok || echo FAILED)" "$passed" "$failed"
exit "$status"
