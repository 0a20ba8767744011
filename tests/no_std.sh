#!/bin/bash
# Builds the core for a microcontroller without std and without a C compiler, and shows that it needs neither.
#   tests/no_std.sh [TARGET]      thumbv7em-none-eabihf by default
# The target's own `core` and `alloc` come from the Rust toolchain (rustup target) or are built from their sources
# (tests/rust_src.sh). Ends with an error when it cannot build: nothing is skipped.
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-thumbv7em-none-eabihf}
tools=target/tools
core=(-p underpass-core --no-default-features --features portable,control,filter)

say() { printf 'no_std: %s\n' "$*"; }
die() { printf 'no_std: error: %s\n' "$*" >&2; exit 1; }

host=$(rustc -vV | awk '/^host:/ { print $2 }')
. tests/rust_src.sh

# Nothing below the portable core may compile C, assemble, or ask an operating system: on the target, nor on hosts
# that would have the fast backend.
for triple in "$target" x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do
    tree=$(cargo tree "${core[@]}" --target "$triple" --edges normal,build --prefix none)
    unwanted=$(awk '$1 ~ /^(aws-lc-(rs|sys)|cc|cmake|getrandom|graviola|libc|ring)$/ { print $1 }' <<<"$tree" | sort -u)
    [ -z "$unwanted" ] || die "the portable core depends, on $triple, on: $(echo $unwanted)"
done

std=()
if [ ! -d "$sysroot/lib/rustlib/$target/lib" ]; then
    with_rust_src
    std=(-Zbuild-std=core,alloc)
fi

say "building the core for $target with Rust $rust_version on $host"
# No C compiler: whoever asks for one gets this instead.
# With the room of logins too. (On hosts, its hashes ask libc for what the CPU can do, so it is not in the lists above.)
CC=/bin/false CARGO_TARGET_DIR=$tools/no_std cargo build "${core[@]}" --features policy --target "$target" "${std[@]}"
say "underpass-core builds for $target"
