#!/bin/bash
# The C library and its tests on other CPUs: built from here, run by qemu-user.
#   tests/c/cross.sh              all of them
#   tests/c/cross.sh NAME ...     aarch64, armhf, mips and s390x (both big-endian)
# Rust's own library is built along (tests/rust_src.sh), for it is not there for all of them. The lines `test result:`
# are what tests/run.sh counts.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'cross: %s\n' "$*"; }
die() { printf 'cross: error: %s\n' "$*" >&2; exit 1; }
. tests/rust_src.sh

out=$PWD/target/tools/cross
export CARGO_TARGET_DIR=$out
strict=(-std=c99 -D_POSIX_C_SOURCE=200809L -O1 -Wall -Wextra -pedantic -Werror -Iinclude)
mapfile -t sources < <(ls tests/c/*.c | grep -v planted.c)
said=$out/said
. tests/c/checks.sh
. tests/c/stack/measure.sh
. tests/c/budget/measure.sh

# tested WHAT COMMAND...: a check that counts tests of its own.
tested() {
    check "$@"
    grep '^test result:' "$said"
}

# target NAME: what it is called by Rust, by Debian's compilers, by qemu; which library a vendor would build for it.
target() {
    profile=router
    case $1 in
        aarch64) triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu qemu=aarch64 profile=release ;;
        armhf) triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf qemu=arm ;;
        mips) triple=mips-unknown-linux-gnu gnu=mips-linux-gnu qemu=mips ;;
        s390x) triple=s390x-unknown-linux-gnu gnu=s390x-linux-gnu qemu=s390x ;;
        *) die "what is '$1'? one of aarch64, armhf, mips, s390x" ;;
    esac
}

# installed: the library as it would be installed for the target, with the entries that the tests provoke failures by. The
# emulator takes MADV_WIPEONFORK and does nothing, so forks are told by the number of the process here.
installed() {
    local name=$1
    make -C bindings/c install TARGET="$triple" CROSS_COMPILE="$gnu-" PROFILE="$profile" FEATURES="provoke fork-by-number" BUILD_STD=1 \
        DESTDIR="$out/root-$name" PREFIX=/usr
}

# runs PROGRAM ARGUMENTS...: by qemu, with libraries of the target.
runs() { "qemu-$qemu-static" -L "/usr/$gnu" -E LD_LIBRARY_PATH="$usr/lib" "$@"; }

tests_static() { "$gnu-gcc" "${strict[@]}" "${sources[@]}" "$usr/lib/libunderpass.a" -lpthread -ldl -lm -o "$usr/tests" && runs "$usr/tests"; }
program_shared() {
    "$gnu-gcc" "${strict[@]}" tests/c/install/program.c -L"$usr/lib" -lunderpass -o "$usr/program" && runs "$usr/program"
}

# How deep each call goes, in all tests but those of panics.
stack_measured() {
    stack_build "$gnu-gcc" "$usr/lib/libunderpass.a" "$usr/stack" && runs "$usr/stack/depth" >"$usr/stack/log" &&
        stack_within "$usr/stack/log"
}

# What a tunnel holds in memory, beside the figures of x86-64.
memory_measured() {
    local column=2
    [ "$profile" = router ] || column=3
    budget_build "$gnu-gcc" "$usr/lib/libunderpass.a" "$usr/budget" && "qemu-$qemu-static" "$usr/budget/budget" >"$usr/budget/log" &&
        budget_within "$usr/budget/log" $column below
}

# known_answers: handshakes and cryptography byte for byte. Without optimising what the tests need: building takes the time.
known_answers() {
    local upper=${triple^^}
    env "CARGO_TARGET_${upper//-/_}_LINKER=$gnu-gcc" "CARGO_TARGET_${upper//-/_}_RUNNER=qemu-$qemu-static -L /usr/$gnu" \
        cargo test --locked -Zbuild-std --config 'profile.dev.package."*".opt-level=0' --config profile.dev.debug=false \
        -p underpass-core --no-default-features --features portable --target "$triple" --test kat --test crypto_vectors
}

[ $# -gt 0 ] || set -- aarch64 armhf mips s390x
mkdir -p "$out"
for name in "$@"; do
    target "$name"
    for tool in "$gnu-gcc" "qemu-$qemu-static"; do command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh"; done
done
with_rust_src
for name in "$@"; do
    target "$name"
    usr=$out/root-$name/usr started=$SECONDS
    rm -rf "$out/root-$name"
    check "$name: the library, profile $profile" installed "$name"
    tested "$name: the tests of the C interface, static" tests_static
    check "$name: a program with the shared library" program_shared
    check "$name: no call needs more stack than the header says" stack_measured
    say "$name: stack: $(stack_deepest "$usr/stack/log")"
    check "$name: no more memory than the guide says" memory_measured
    [ "$name" != s390x ] || tested "$name: the core's known answers" known_answers
    say "$name took $((SECONDS - started)) s"
done
conclude
