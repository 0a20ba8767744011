#!/bin/bash
# Measures Underpass beside its peers.
#   bench/run.sh full     everything, some twenty minutes; writes docs/benchmarks.md and docs/benchmarks/*.svg
#   bench/run.sh quick    a taste of it in under two minutes (once built); writes nothing
# ONLY=packets,field measures these subjects alone (see `underpass-bench --help`) and writes nothing.
# COUNTED=1 counts wake-ups in real time as well, for half an hour.
# End to end needs root and goes through sudo when it must.
set -euo pipefail
cd "$(dirname "$0")/.."

effort=${1:-full}
boringtun_cli=0.7.1
gotatun_cli=0.10.2

tests/setup.sh test

# Installs a daemon from crates.io into bench/target/tools unless that version is there. Measuring goes on without it.
daemon() {
    local package=$1 version=$2
    grep -qs "\"$package $version " bench/target/tools/.crates.toml && return
    cargo install --quiet --locked --root bench/target/tools --target-dir bench/target/tools/build "$package@$version" ||
        echo "bench: $package $version does not install here: measuring without it" >&2
}

cargo build --release -p underpass-linux
# The library of phones: as fast as it can be, as the program that it is compared with is built; and as phones get it.
cargo build --release -p underpass-jni
cargo build --profile mobile -p underpass-jni
mvn --batch-mode --quiet --no-transfer-progress -f tests/kotlin/pom.xml process-test-classes
cargo build --quiet --release --locked --manifest-path bench/boringtun-jni/Cargo.toml --target-dir bench/target ||
    echo "bench: boringtun's JNI does not build here: measuring without it" >&2
cargo build --release --locked --manifest-path bench/Cargo.toml --target-dir bench/target
cargo build --release --locked --manifest-path bench/Cargo.toml --target-dir bench/target/portable --no-default-features
daemon boringtun-cli "$boringtun_cli"
daemon gotatun-cli "$gotatun_cli"

arguments=(--portable bench/target/portable/release/underpass-bench)
case $effort in
    full) [ -n "${ONLY:-}" ] || arguments+=(--docs docs) ;;
    quick) arguments+=(--quick) ;;
    *) echo "what is '$effort'? one of full, quick" >&2; exit 2 ;;
esac
[ -z "${COUNTED:-}" ] || arguments+=(--counted)
[ -z "${ONLY:-}" ] || arguments+=(--only "$ONLY")
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -E env "PATH=$PATH")
"${sudo[@]}" bench/target/release/underpass-bench "${arguments[@]}"
