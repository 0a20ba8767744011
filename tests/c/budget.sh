#!/bin/bash
# How much memory a tunnel takes on a small router: a program that is linked statically with the library as it ships, by
# both profiles, counts what goes through malloc, and its figures are compared with the table in docs/c-guide.md.
#   tests/c/budget.sh         prints the figures; tests/c/cross.sh compares those of another CPU
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'budget: %s\n' "$*"; }
die() { printf 'budget: error: %s\n' "$*" >&2; exit 1; }
out=$PWD/target/c-tests/budget
mkdir -p "$out"
said=$out/said
. tests/c/checks.sh
. tests/c/budget/measure.sh

column=2
for build in router-portable release-fast; do
    profile=${build%-*}
    make -C bindings/c PROFILE="$profile" >"$said" 2>&1 || { cat "$said"; die "the library does not build"; }
    budget_build gcc "target/c/$build/libunderpass.a" "$out/$build" || die "the program does not build"
    check "$profile: a gateway lives through its day" "$out/$build/budget"
    cp "$said" "$out/$build/log"
    sed 's/^/    /' "$out/$build/log"
    check "$profile: its memory is what the guide says" budget_within "$out/$build/log" $column close
    column=$((column + 1))
done
conclude
