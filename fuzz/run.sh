#!/bin/bash
# Fuzzes one target for a while: fuzz/run.sh TARGET [SECONDS] [libFuzzer options]
# New inputs go to target/fuzz/TARGET, faults to target/fuzz/TARGET-faults. Needs a C++ compiler; stable Rust will do.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?which target? one of $(basename -s .rs fuzz/fuzz_targets/*.rs | tr '\n' ' ')}
seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
found=$PWD/target/fuzz/$target
mkdir -p "$found" "$found-faults"

# Coverage as libFuzzer reads it: a counter for each edge, and comparisons.
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
coverage+=' -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table'
coverage+=' -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=4'
host=$(rustc --print host-tuple)
export CARGO_TARGET_DIR=$PWD/target/libfuzzer
RUSTFLAGS="${RUSTFLAGS:-} $coverage --cfg fuzzing" \
    cargo build --release --manifest-path fuzz/libfuzzer/Cargo.toml --target "$host" --bin "$target"
exec "$CARGO_TARGET_DIR/$host/release/$target" "$found" "fuzz/corpus/$target" \
    -artifact_prefix="$found-faults/" -max_total_time="$seconds" -max_len=4096 -timeout=20 "$@"
