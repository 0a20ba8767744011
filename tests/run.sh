#!/bin/bash
# Runs the checks of the project, one after the other, all of them even when one fails, and counts.
#   tests/run.sh quick      formatting, lints, the tests that need no network
#   tests/run.sh interop    the tests in network namespaces
#   tests/run.sh all        everything; interop and the demo need root and go through sudo when they must
# The last line is `N passed, N failed`: every test that cargo ran counts once, every other step counts once.
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

scope=${1:-all}
logs=target/test-logs
mkdir -p "$logs"
passed=0 failed=0
table=()

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

# Adds up the `test result:` lines of a log. Ignored tests count as failed: nothing is skipped here.
count() {
    awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$1"
}

# step NAME COMMAND...: runs it, shows it, keeps its log, books its outcome.
step() {
    local name=$1 log=$logs/$1.log started=$SECONDS status p f i outcome
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    read -r p f i < <(count "$log")
    f=$((f + i))
    if [ $((p + f)) = 0 ] && [ "$status" = 0 ]; then p=1; fi
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    outcome=ok
    [ "$f" = 0 ] || outcome=FAILED
    [ "$i" = 0 ] || outcome="FAILED ($i ignored)"
    passed=$((passed + p)) failed=$((failed + f))
    table+=("$(printf '%-16s %5d passed %4d failed %5d s  %s' "$name" "$p" "$f" $((SECONDS - started)) "$outcome")")
}

# The demo, as somebody without privileges: what is built is copied to where anyone can read it.
demo_unprivileged() {
    local dir status
    dir=$(mktemp -d) && chmod 755 "$dir" && install -m 755 target/release/underpass "$dir/underpass" || return
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$dir/underpass" demo
    else
        "$dir/underpass" demo
    fi
    status=$?
    rm -r "$dir"
    return $status
}

# Tests that make interfaces need root: cargo builds them as whoever calls, and runs them through sudo when that is
# not root. Most of them wait most of the time, so more of them run at once than there are cores.
cargo_test_as_root() {
    local runner=()
    [ "$(id -u)" = 0 ] || runner=(--config 'target."cfg(unix)".runner=["sudo", "env", "RUST_TEST_THREADS=8"]')
    RUST_TEST_THREADS=8 cargo "${runner[@]}" test --no-fail-fast "$@"
}

quick() {
    step fmt cargo fmt --all --check
    step clippy cargo clippy --workspace --all-targets -- -D warnings
    step clippy-no-os cargo clippy -p underpass-c --lib --no-default-features --features portable,provoke --config 'profile.dev.panic="abort"' -- -D warnings
    step core cargo test -p underpass-core
    step sim-house cargo test -p underpass-sim -p underpass-house --no-fail-fast
}

all() {
    step setup tests/setup.sh test
    quick
    step core-portable cargo test -p underpass-core --no-default-features --features portable
    step linux cargo_test_as_root -p underpass-linux
    step budget cargo test -p underpass-budget -- --nocapture
    step no_std tests/no_std.sh
    step fuzz-corpus fuzz/replay.sh
    step c-crate cargo test -p underpass-c --no-fail-fast
    step c tests/c/run.sh
    step c-stack tests/c/stack.sh
    step c-budget tests/c/budget.sh
    step c-install tests/c/install.sh
    step c-musl tests/c/musl.sh
    step c-packages tests/c/packages.sh
    step c-examples tests/c/examples.sh
    step c-cross tests/c/cross.sh
    step c-firmware tests/c/firmware.sh
    step uniffi cargo test -p underpass-uniffi --no-fail-fast
    step jni cargo test -p underpass-jni --no-fail-fast
    step bindgen tests/bindgen.sh
    step kotlin tests/kotlin.sh
    step android-native tests/android_native.sh
    step android-package tests/android_package.sh
    step android-apk tests/android_apk.sh
    step apple-native tests/apple_native.sh
    step docs env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    step build cargo build --release -p underpass-linux
    step build-router tests/c/router.sh
    step demo-root "${sudo[@]}" target/release/underpass demo
    step demo-user demo_unprivileged
    step interop cargo_test_as_root -p underpass-interop
}

case $scope in
    quick | all) "$scope" ;;
    interop)
        step setup tests/setup.sh test
        step build cargo build --release -p underpass-linux
        step build-router tests/c/router.sh
        step interop cargo_test_as_root -p underpass-interop
        ;;
    *) echo "what is '$scope'? one of quick, interop, all" >&2; exit 2 ;;
esac

printf '\n'
printf '%s\n' "${table[@]}"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
