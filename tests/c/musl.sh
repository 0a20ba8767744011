#!/bin/bash
# The C library for musl: installed as docs/c-guide.md says, and used by programs that Debian's musl-gcc links, statically
# and with the shared library. Then for mipsel by zig, where Rust has no library of its own, run by qemu-user.
#   tests/c/musl.sh               both
#   tests/c/musl.sh NAME ...      x86_64, mipsel
# Built without optimising, for building takes the time. The lines `test result:` are what tests/run.sh counts.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'musl: %s\n' "$*"; }
die() { printf 'musl: error: %s\n' "$*" >&2; exit 1; }
. tests/rust_src.sh

out=$PWD/target/tools/musl
zig=$PWD/target/tools/zig/ziglang/zig
export CARGO_TARGET_DIR=$out ZIG_GLOBAL_CACHE_DIR=$out/zig ZIG_LOCAL_CACHE_DIR=$out/zig
for profile in RELEASE ROUTER; do
    export "CARGO_PROFILE_${profile}_OPT_LEVEL=0" "CARGO_PROFILE_${profile}_LTO=off" "CARGO_PROFILE_${profile}_DEBUG=false" \
        "CARGO_PROFILE_${profile}_CODEGEN_UNITS=16"
done
strict=(-std=c99 -D_POSIX_C_SOURCE=200809L -O1 -Wall -Wextra -pedantic -Werror)
mapfile -t sources < <(ls tests/c/*.c | grep -v planted.c)
mkdir -p "$out"
said=$out/said
. tests/c/checks.sh

# tested WHAT COMMAND...: a check that counts tests of its own.
tested() {
    check "$@"
    grep '^test result:' "$said"
}

# at ROOT: pkg-config finds what is installed there, and nothing else.
at() {
    usr=$1/usr
    export PKG_CONFIG_LIBDIR=$usr/lib/pkgconfig
}
installed() { make -C bindings/c install TARGET="$triple" PREFIX=/usr DESTDIR="$@"; }
exports() { diff include/underpass.symbols <(nm -D --defined-only "$usr/lib/libunderpass.so" | sed -n 's/.* T \(.*\)@@.*/\1/p' | sort); }
# What unwinds the stack is inside, and nothing of it is to be seen.
whole() {
    ! nm -u "$usr/lib/libunderpass.a" | grep -E '_Unwind|_ZN|_R[NI]|rust' &&
        diff include/underpass.symbols <(nm -g --defined-only "$usr/lib/libunderpass.a" | awk 'NF == 3 { print $3 }' | sort)
}
needed() { [ "$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | paste -sd' ')" = "$2" ]; }
links_static() { musl-gcc "${strict[@]}" -static tests/c/install/program.c -o "$usr/a" $(pkg-config --static --cflags --libs underpass) && needed "$usr/a" '' && "$usr/a"; }
links_shared() {
    musl-gcc "${strict[@]}" tests/c/install/program.c -o "$usr/b" $(pkg-config --cflags --libs underpass) &&
        needed "$usr/b" "libunderpass.so.0 libc.so" && LD_LIBRARY_PATH=$usr/lib "$usr/b"
}
# All tests of the C interface. Among them are panics, which must be caught.
tests_static() {
    musl-gcc "${strict[@]}" -static "${sources[@]}" -o "$usr/tests" $(pkg-config --static --cflags --libs underpass) &&
        needed "$usr/tests" '' && "$usr/tests"
}
tests_shared() {
    musl-gcc "${strict[@]}" "${sources[@]}" -o "$usr/tests-shared" $(pkg-config --cflags --libs underpass) &&
        needed "$usr/tests-shared" "libunderpass.so.0 libc.so" && LD_LIBRARY_PATH=$usr/lib "$usr/tests-shared"
}
# What the guide says of a program that is linked without what pkg-config adds; and that these tests see it.
unaided() {
    musl-gcc "${strict[@]}" -static -I"$usr/include" "${sources[@]}" "$usr/lib/libunderpass.a" -o "$usr/unaided" &&
        ! "$usr/unaided" a_panic && grep -q 'failed to initiate panic' "$said"
}

x86_64() {
    triple=x86_64-unknown-linux-musl
    command -v musl-gcc >/dev/null || die "there is no musl-gcc: run tests/setup.sh"
    # `make setup` adds Rust's library for this target. Where that cannot be had, it is built along, and the unwinder is zig's.
    local std=()
    if [ ! -d "$sysroot/lib/rustlib/$triple/lib" ]; then
        say "Rust has no library for $triple here: building it along, with the unwinder of zig"
        with_rust_src
        zig_unwinder x86_64-linux-musl || die "zig builds no unwinder"
        std=(BUILD_STD=1 UNWINDER="$out/libunwind.a")
    fi
    at "$out/root"
    rm -rf "$out/root" "$out/root-provoke"
    check "x86_64: make install TARGET=$triple" installed "$out/root" "${std[@]}"
    check "x86_64: the shared library exports include/underpass.symbols" exports
    check "x86_64: the static library is whole, unwinder included" whole
    check "x86_64: pkg-config --static, a program by musl-gcc without shared libraries" links_static
    check "x86_64: pkg-config, a program by musl-gcc with the shared library" links_shared
    at "$out/root-provoke"
    check "x86_64: the same with entries that panic" installed "$out/root-provoke" FEATURES=provoke "${std[@]}"
    tested "x86_64: the tests of the C interface by musl-gcc, static" tests_static
    tested "x86_64: the tests of the C interface by musl-gcc, shared" tests_shared
    check "x86_64: without -Wl,--eh-frame-hdr, a panic ends a static program" unaided
}

# zig_unwinder TARGET: zig builds it into its cache when a program asks for it.
zig_unwinder() {
    printf 'int main(void) { return 0; }\n' >"$out/empty.c"
    "$zig" cc -target "$1" "$out/empty.c" -lunwind -o "$out/empty" && cp "$(ls -t "$out"/zig/o/*/libunwind.a | head -n 1)" "$out/libunwind.a"
}

mipsel() {
    triple=mipsel-unknown-linux-musl
    local tool
    for tool in mips-linux-gnu-objcopy qemu-mipsel-static "$zig"; do
        command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh"
    done
    with_rust_src
    local cc=("$zig" cc -target mipsel-linux-musleabi)
    at "$out/root-mipsel"
    rm -rf "$out/root-mipsel"
    # Debian's binutils know both byte orders; what unwinds is in a library that zig brings.
    check "mipsel: the library, profile router" installed "$out/root-mipsel" CROSS_COMPILE=mips-linux-gnu- CC="${cc[*]}" \
        UNWINDER=-lunwind PROFILE=router BUILD_STD=1 FEATURES=provoke
    tested "mipsel: handshakes, packets, panics and threads, static" mipsel_static
    check "mipsel: a program links with the shared library" mipsel_shared
}
# Emulated and not optimised, all of the tests take a minute; these are those that an unwinder or a byte order could break.
mipsel_static() {
    "${cc[@]}" "${strict[@]}" -static "${sources[@]}" -o "$usr/tests" $(pkg-config --static --cflags --libs underpass) &&
        qemu-mipsel-static "$usr/tests" a_panic a_handshake a_packet crypting two_tunnels keys_are
}
# No loader of musl for MIPS is here: the program is linked, not run.
mipsel_shared() {
    "${cc[@]}" "${strict[@]}" -dynamic tests/c/install/program.c -o "$usr/program" $(pkg-config --cflags --libs underpass) &&
        needed "$usr/program" "libunderpass.so.0 libc.so"
}

[ $# -gt 0 ] || set -- x86_64 mipsel
for name in "$@"; do
    case $name in x86_64 | mipsel) ;; *) die "what is '$name'? one of x86_64, mipsel" ;; esac
    started=$SECONDS
    "$name"
    say "$name took $((SECONDS - started)) s"
done
conclude
