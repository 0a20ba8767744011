#!/bin/bash
# Runs the checks of the project, all of them even when one fails, and counts.
#   tests/run.sh quick      formatting, lints, the tests that need no network
#   tests/run.sh interop    the tests in network namespaces
#   tests/run.sh all        everything; interop and the demo need root and go through sudo when they must
# In `all`, steps that build in folders of their own run one after the other in the background, since most steps keep only one core
# busy. Each of them prints what it has to say when it has ended.
# The last line is `N passed, N failed`: every test that cargo ran counts once, every other step counts once.
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

scope=${1:-all}
logs=target/test-logs
rm -rf "$logs/outcome" && mkdir -p "$logs/outcome"
started=$SECONDS

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

# Adds up the `test result:` lines of a log. Ignored tests count as failed: nothing is skipped here.
count() {
    awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$1"
}

# book NAME STATUS SECONDS: what came of a step, from its status and its log.
book() {
    local name=$1 status=$2 took=$3 p f i outcome=ok
    read -r p f i < <(count "$logs/$name.log")
    f=$((f + i))
    if [ $((p + f)) = 0 ] && [ "$status" = 0 ]; then p=1; fi
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    [ "$f" = 0 ] || outcome=FAILED
    [ "$i" = 0 ] || outcome="FAILED ($i ignored)"
    printf '%s %s %s %s\n' "$p" "$f" "$took" "$outcome" >"$logs/outcome/$name"
}

# step NAME COMMAND...: runs it, shows it, keeps its log, books its outcome.
order=()
step() {
    local name=$1 begun=$SECONDS
    shift
    order+=("$name")
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$logs/$name.log"
    book "$name" "${PIPESTATUS[0]}" $((SECONDS - begun))
}

# beside FUNCTION: runs the steps of a function in the background. Their names are listed first, so that the table shows a step that
# did not end as failed.
beside() {
    local name
    for name in $("$1" names); do order+=("$name"); done
    # In a process group of its own, so that all of it can be ended at once.
    set -m
    "$1" quiet &
    lane=$!
    set +m
}

# quiet NAME COMMAND...: runs a step in the background.
quiet() {
    local name=$1 begun=$SECONDS status=0
    shift
    "$@" >"$logs/$name.log" 2>&1 || status=$?
    book "$name" "$status" $((SECONDS - begun))
    printf '\n=== %s, beside the others: %s\n' "$name" "$*"
    cat "$logs/$name.log"
}

# names NAME COMMAND...: prints the name of a step and does not run it.
names() { echo "$1"; }

# Ends the background steps when this script is ended.
lane=
trap '[ -z "$lane" ] || kill -- "-$lane"; exit 1' TERM INT HUP

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

# The rooms of the core that are off by default.
rooms=underpass-core/control,underpass-core/filter,underpass-core/policy

quick() {
    step fmt cargo fmt --all --check
    step clippy cargo clippy --workspace --all-targets --features $rooms,underpass-linux/postgres -- -D warnings
    step clippy-no-os cargo clippy -p underpass-c --lib --no-default-features --features portable,provoke --config 'profile.dev.panic="abort"' -- -D warnings
    step core cargo test -p underpass-core --features $rooms
    step sim-house cargo test -p underpass-sim -p underpass-house --no-fail-fast
}

# Steps that build in folders of their own. `$1`, the function that is called with each step, is `names` or `quiet`.
elsewhere() {
    "$1" no_std tests/no_std.sh
    "$1" c-firmware tests/c/firmware.sh
    "$1" c-musl tests/c/musl.sh
    "$1" c-packages tests/c/packages.sh
    "$1" c-cross tests/c/cross.sh
    "$1" android-native tests/android_native.sh
    "$1" android-package tests/android_package.sh
    "$1" android-apk tests/android_apk.sh
    "$1" apple-native tests/apple_native.sh
}

all() {
    step setup tests/setup.sh test
    beside elsewhere
    quick
    step core-portable cargo test -p underpass-core --no-default-features --features portable
    step linux cargo_test_as_root -p underpass-linux -p underpass-carry
    step gateway cargo_test_as_root -p underpass-gateway --features postgres
    step budget cargo test -p underpass-budget -- --nocapture
    step fuzz-corpus fuzz/replay.sh
    step c-crate cargo test -p underpass-c --no-fail-fast
    step c tests/c/run.sh
    step c-stack tests/c/stack.sh
    step c-budget tests/c/budget.sh
    step c-install tests/c/install.sh
    step c-examples tests/c/examples.sh
    step uniffi cargo test -p underpass-uniffi --no-fail-fast
    step jni cargo test -p underpass-jni --no-fail-fast
    step bindgen tests/bindgen.sh
    step kotlin tests/kotlin.sh
    step android tests/android.sh
    step swift-crate cargo test -p underpass-feed -p underpass-swift --no-fail-fast
    step swift tests/swift.sh
    step swift-names tests/swift/selectors.sh
    step docs env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features $rooms
    step build cargo build --release -p underpass-linux
    step package tests/package.sh
    step build-router tests/c/router.sh
    wait "$lane"
    lane=
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
        step kotlin tests/kotlin.sh
        step interop cargo_test_as_root -p underpass-interop
        ;;
    *) echo "what is '$scope'? one of quick, interop, all" >&2; exit 2 ;;
esac

# The table. A step without an outcome was ended half-way.
passed=0 failed=0
printf '\n'
for name in "${order[@]}"; do
    p=0 f=1 took=0 outcome='FAILED (no outcome)'
    [ ! -s "$logs/outcome/$name" ] || read -r p f took outcome <"$logs/outcome/$name"
    passed=$((passed + p)) failed=$((failed + f))
    printf '%-16s %5d passed %4d failed %5d s  %s\n' "$name" "$p" "$f" "$took" "$outcome"
done
printf '\nin %d s\n%d passed, %d failed\n' $((SECONDS - started)) "$passed" "$failed"
[ "$failed" = 0 ]
