#!/bin/bash
# How much stack the functions of the C library need, as it ships, on this CPU: every function, through all tests of
# tests/c but those that provoke panics; and that none needs more than the header says. tests/c/cross.sh does the same for other CPUs.
#   tests/c/stack.sh          prints a line for each profile
#   tests/c/stack.sh -v       and one for each function
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'stack: %s\n' "$*"; }
die() { printf 'stack: error: %s\n' "$*" >&2; exit 1; }
out=$PWD/target/c-tests/stack
mkdir -p "$out"
said=$out/said
. tests/c/checks.sh
. tests/c/stack/measure.sh

for build in release-fast router-portable; do
    profile=${build%-*}
    make -C bindings/c PROFILE="$profile" >"$said" 2>&1 || { cat "$said"; die "the library does not build"; }
    stack_build gcc "target/c/$build/libunderpass.a" "$out/$build" || die "the program does not build"
    check "$profile: the tests" "$out/$build/depth"
    cp "$said" "$out/$build/log"
    say "$profile: $(stack_deepest "$out/$build/log")"
    [ "${1:-}" != -v ] || awk '$1 == "stack" { print $3 "\t" $2 }' "$out/$build/log" | sort -rn
    check "$profile: no call needs more stack than the header says" stack_within "$out/$build/log"
done
conclude
