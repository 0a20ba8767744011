#!/bin/bash
# How large the C library is, stripped, in bytes: for each CPU and profile a line of fields parted by tabs.
#   tests/c/sizes.sh          name, shared library, static library, what the static one adds to the example loopback
# A program takes of the static library what it calls: loopback is linked with --gc-sections, and what the same program
# has without the library is subtracted. On aarch64 Rust's own library is built along in all rows, for there may be no
# ready one.
. "$(dirname "$0")/../afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'sizes: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
. tests/rust_src.sh

out=$PWD/target/tools/cross
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=$out

# measured NAME TRIPLE TOOLS VARIABLES...: builds, installs and strips it, and prints its line.
measured() {
    local name=$1 triple=$2 tools=$3 usr=$out/sizes/usr bare=$out/sizes/bare
    shift 3
    say "building: $name"
    rm -rf "$out/sizes" && mkdir -p "$out/sizes"
    make -C bindings/c install-strip TARGET="$triple" CROSS_COMPILE="$tools" DESTDIR="$out/sizes" PREFIX=/usr "$@" >"$out/sizes.log" 2>&1 ||
        { cat "$out/sizes.log" >&2; die "$name does not build"; }
    local cc=("${tools}gcc" -std=c99 -Os -ffunction-sections -Wl,--gc-sections -s)
    "${cc[@]}" -I"$usr/include" bindings/c/examples/loopback.c "$usr/lib/libunderpass.a" -o "$bare-with"
    # What is missing without the library is left unresolved: the program is there for its size.
    "${cc[@]}" -I"$usr/include" bindings/c/examples/loopback.c -Wl,--unresolved-symbols=ignore-all -o "$bare"
    printf '%s\t%s\t%s\t%s\n' "$name" "$(stat -Lc %s "$usr/lib/libunderpass.so")" "$(stat -c %s "$usr/lib/libunderpass.a")" \
        $(($(stat -c %s "$bare-with") - $(stat -c %s "$bare")))
}

with_rust_src >&2
plain=()
for cpu in "$host" aarch64-unknown-linux-gnu; do
    tools=''
    if [ "$cpu" != "$host" ]; then
        tools=aarch64-linux-gnu-
        plain=('CARGOFLAGS=-Zbuild-std=std,panic_unwind')
    fi
    measured "${cpu%%-*}, release" "$cpu" "$tools" "${plain[@]}"
    measured "${cpu%%-*}, router" "$cpu" "$tools" PROFILE=router "${plain[@]}"
    measured "${cpu%%-*}, router with BUILD_STD" "$cpu" "$tools" PROFILE=router BUILD_STD=1
done
