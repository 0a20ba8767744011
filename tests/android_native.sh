#!/bin/bash
# The library for Android as apps get it: built by android/native.sh, linked against the names that real Android libraries of
# API 23 have, looked at, and run on an emulated arm64 on those libraries (tests/unidbg). No NDK and no device is needed.
#   tests/android_native.sh           all ABIs; ends with `test result: ...`, as cargo's tests do
#   tests/android_native.sh ABI...    of arm64-v8a (which is also run), armeabi-v7a, x86_64
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'android-native: %s\n' "$*"; }
die() { printf 'android-native: error: %s\n' "$*" >&2; exit 1; }
. tests/rust_src.sh
. tests/c/checks.sh
. android/modules.sh
. tests/native/classes.sh
. tests/surefire.sh

out=$PWD/target/native
made=target/unidbg
said=$out/said
generated=bindings/uniffi/generated
# Bytes that the stripped library has at most.
declare -A most=([arm64-v8a]=1000000 [armeabi-v7a]=1000000 [x86_64]=1100000)
mkdir -p "$out"

# The doors: that of JNI, and the functions that the committed Kotlin and Swift call.
doors() {
    { echo JNI_OnLoad; grep -rhoE '\b(uniffi|ffi)_underpass_uniffi_\w+' "$generated/kotlin" "$generated/swift/UnderpassFFI.h"; } | sort -u
}
exports() { diff <(doors) <(readelf --dyn-syms -W "$so" | awk '$7 != "UND" && $8 != "" && $8 != "Name" { print $8 }' | sort); }
functions_only() { [ "$(readelf --dyn-syms -W "$so" | awk '$7 != "UND" && $2 ~ /^0/ { print $4 }' | sort -u | grep -v NOTYPE)" = FUNC ]; }
# What Kotlin's classes ask of it by name: packets in batches, and the pump.
both_planes() { grep -aF org/underpass/tunnel/internal/NativeFeed "$so" && grep -aF org/underpass/tunnel/internal/NativePump "$so"; } >/dev/null
named() { readelf -dW "$so" | grep -F 'Library soname: [libunderpass_jni.so]'; }
needs() { diff <(printf '%s\n' libc.so libdl.so liblog.so) <(readelf -dW "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort); }
# Pages of 16 KB: every segment that is loaded, and what is read-only after relocation.
aligned() {
    local align loads=0
    for align in $(readelf -lW "$so" | awk '$1 == "LOAD" { print $NF }'); do
        echo "$align" && [ $((align % 16384)) = 0 ] || return
        loads=$((loads + 1))
    done
    [ "$loads" -gt 0 ]
}
# No segment that may be written may also be run; the stack may not be run; symbols are bound at once; no text relocations.
hardened() {
    ! readelf -lW "$so" | grep -E '(LOAD|GNU_STACK) .* RWE ' && readelf -lW "$so" | grep GNU_RELRO &&
        readelf -dW "$so" | grep -F NOW && ! readelf -dW "$so" | grep TEXTREL
}
# Weak names may be missing in API 23; the linker has refused all others that are.
weak() { diff <(printf '%s\n' getrandom gettid) <(readelf --dyn-syms -W "$so" | awk '$5 == "WEAK" && $7 == "UND" { print $8 }' | sort); }
small() { echo "$(stat -c %s "$so") bytes, ${most[$abi]} at most" && [ "$(stat -c %s "$so")" -le "${most[$abi]}" ]; }
stripped() { ! readelf -SW "$so" | grep -E '\.(symtab|debug)' && readelf -SW "$so.debug" | grep -F .debug_line; }
# A file of this machine's folders in the library would give away where it was built, and differ from clone to clone.
no_paths() { ! grep -aoE "(${HOME:-/root}|$PWD)/[[:print:]]*" "$so"; }

built() {
    abi=$1 so=$out/$1/libunderpass_jni.so
    check "$abi: builds, and links with --no-undefined" android/native.sh "$out" "$abi"
    [ -f "$so" ] || return
    check "$abi: exports the doors and nothing else" exports
    check "$abi: exports functions only" functions_only
    check "$abi: has its name" named
    check "$abi: has the feed and the pump" both_planes
    check "$abi: needs libraries of the system alone" needs
    check "$abi: names that may be missing" weak
    check "$abi: segments for pages of 16 KB" aligned
    check "$abi: cannot be written where it runs" hardened
    check "$abi: stripped, and names of lines beside it" stripped
    check "$abi: no paths of this machine" no_paths
    check "$abi: small" small
}

# What the tests of tests/unidbg need of this machine.
prepared() {
    mkdir -p "$made" && cargo build --locked --quiet -p underpass-jni && classes "$made/underpass.jar" tunnel &&
        cc -shared -fPIC -O1 -Wall -Werror -o "$made/randomness.so" tests/unidbg/randomness.c
}
count() { reported "$1" "$made"/surefire-reports/TEST-*.xml; }
emulated() {
    local status=0 all bad skipped
    rm -rf "$made/surefire-reports"
    mvn --batch-mode --quiet --no-transfer-progress -f tests/unidbg/pom.xml verify 2>&1 | sed 's/\x1b\[[0-9;]*m//g' || status=$?
    all=$(count tests) bad=$(($(count failures) + $(count errors))) skipped=$(count skipped)
    printf '%d tests, %d failed, %d skipped\n' "$all" "$bad" "$skipped"
    [ "$all" -ge 6 ] && [ $((bad + skipped)) = 0 ] && return "$status"
}

[ $# -gt 0 ] || set -- arm64-v8a armeabi-v7a x86_64
case " $* " in *" arm64-v8a "*) check "the library of this machine and the Kotlin classes are made" prepared ;; esac
STAND_IN=$(tests/native/toolchain.sh) || die "there is nothing to link with"
export STAND_IN CARGO_TARGET_DIR=$PWD/target/tools/native
with_rust_src
for name in "$@"; do
    started=$SECONDS
    built "$name"
    say "$name took $((SECONDS - started)) s"
done
unset CARGO_TARGET_DIR
case " $* " in *" arm64-v8a "*)
    started=$SECONDS
    check "arm64-v8a: runs on an emulated arm64: both doors, known answers, packets" emulated
    sed -n 's/^\([0-9]* tests, .*\)/android-native: \1/p' "$said"
    say "that took $((SECONDS - started)) s"
    ;;
esac
printf '%-12s %10s\n' ABI bytes
for name in "$@"; do [ ! -f "$out/$name/libunderpass_jni.so" ] || printf '%-12s %10d\n' "$name" "$(stat -c %s "$out/$name/libunderpass_jni.so")"; done
conclude
