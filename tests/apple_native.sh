#!/bin/bash
# The library for iOS and macOS as apps get it: a static library, and a shared one that shows that nothing is missing in it. Apple's
# SDK and linker are not to be had here: objects are linked by LLVM's linker against the list of macOS's system library that zig
# brings, for iOS under its own name. Nothing of it is run.
#   tests/apple_native.sh             both; ends with `test result: ...`, as cargo's tests do
#   tests/apple_native.sh TRIPLE...   of aarch64-apple-ios, aarch64-apple-darwin
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'apple-native: %s\n' "$*"; }
die() { printf 'apple-native: error: %s\n' "$*" >&2; exit 1; }
. tests/rust_src.sh
. tests/c/checks.sh

# The packages that are built, and which doors each has.
packages=("underpass-swift uniffi feed")
out=$PWD/target/apple
said=$out/said
headers=bindings/uniffi/generated/swift
zig=$PWD/target/tools/zig/ziglang
host=$(rustc -vV | awk '/^host:/ { print $2 }')
linker=$sysroot/lib/rustlib/$host/bin/gcc-ld/ld64.lld
mkdir -p "$out"
for tool in clang llvm-nm llvm-objdump "$linker" "$zig/lib/libc/darwin/libSystem.tbd"; do
    command -v "$tool" >/dev/null || [ -e "$tool" ] || die "there is no $tool: run tests/setup.sh test"
done

# What the doors of a package are called.
doors() {
    local door
    for door in $1; do
        case $door in
            uniffi) grep -ohE '\b(uniffi|ffi)_underpass_uniffi_\w+' "$headers/UnderpassFFI.h" ;;
            feed) grep -ohE '\bunderpass_feed_\w+\(' bindings/swift/include/underpass_feed.h | tr -d '(' ;;
        esac
    done | sort -u
}

# platform TRIPLE: what the linker is told of it, and the name that its system library has there.
platform() {
    case $1 in
        aarch64-apple-ios) system=arm64-ios version=(-platform_version ios 15.0 18.0) clang=arm64-apple-ios15.0 ;;
        aarch64-apple-darwin) system=arm64-macos version=(-platform_version macos 12.0 15.0) clang=arm64-apple-macos12.0 ;;
        *) die "what is '$1'? one of aarch64-apple-ios, aarch64-apple-darwin" ;;
    esac
    sdk=$out/$1/sdk
    mkdir -p "$sdk/usr/lib"
    # What C of dependencies asks the SDK for: which system it is.
    mkdir -p "$sdk/include"
    printf '#define TARGET_OS_MAC 1\n#define TARGET_OS_IPHONE %d\n' $([ "$system" != arm64-ios ]; echo $?) >"$sdk/include/TargetConditionals.h"
    # A stand-in for the header that the crate oslog includes. The SDK's macros call the same function, with the arguments packed.
    mkdir -p "$sdk/include/os"
    cat >"$sdk/include/os/log.h" <<'END'
#pragma once
typedef struct os_log_s *os_log_t;
typedef unsigned char os_log_type_t;
typedef _Bool bool;
extern struct os_log_s _os_log_default;
#define OS_LOG_DEFAULT (&_os_log_default)
os_log_t os_log_create(const char *subsystem, const char *category);
bool os_log_type_enabled(os_log_t log, os_log_type_t type);
void _os_log_impl(void *image, os_log_t log, os_log_type_t type, const char *format, unsigned char *values, unsigned size);
#define os_log_with_type(log, type, format, ...) _os_log_impl(0, log, type, format, 0, 0)
#define os_log(log, ...) os_log_with_type(log, 0, __VA_ARGS__)
#define os_log_info(log, ...) os_log_with_type(log, 1, __VA_ARGS__)
#define os_log_debug(log, ...) os_log_with_type(log, 2, __VA_ARGS__)
#define os_log_error(log, ...) os_log_with_type(log, 16, __VA_ARGS__)
#define os_log_fault(log, ...) os_log_with_type(log, 17, __VA_ARGS__)
END
    sed "s/arm64-macos/$system/g" "$zig/lib/libc/darwin/libSystem.tbd" >"$sdk/usr/lib/libSystem.tbd"
}

builds() {
    # A library of its own that cargo links along is of no use here, and made of nothing.
    printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" != -o ] || : >"$2"; shift; done\n' >"$out/linker" && chmod +x "$out/linker"
    env "CC_${triple//-/_}=clang" "CFLAGS_${triple//-/_}=-nostdlibinc -DRING_CORE_NOSTDLIBINC -I$sdk/include" "AR_${triple//-/_}=llvm-ar" SDKROOT="$sdk" \
        "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$triple")_LINKER=$out/linker" \
        cargo rustc --locked --quiet -p "$package" --lib --crate-type staticlib --profile mobile --target "$triple" \
        -Zbuild-std=std,panic_unwind -Zbuild-std-features=optimize_for_size
    archive=$CARGO_TARGET_DIR/$triple/mobile/lib$(tr - _ <<<"$library").a
    cp "$archive" "$out/$triple/" && archive=$out/$triple/${archive##*/}
}
links() {
    doors "$which" | sed 's/^/_/' >"$out/$triple/doors" || return
    "$linker" -arch arm64 "${version[@]}" -dylib -install_name "@rpath/$library.dylib" -dead_strip -syslibroot "$sdk" -lSystem \
        -exported_symbols_list "$out/$triple/doors" $(sed 's/^/-u /' "$out/$triple/doors") "$archive" -o "$dylib"
}
exports() { diff "$out/$triple/doors" <(llvm-nm -gU --format=just-symbols "$dylib" 2>/dev/null | sort -u || true); }
is_for() { llvm-objdump --macho --private-headers "$dylib" >"$out/headers" && grep -E 'ARM64' "$out/headers" && grep -A4 -F LC_BUILD_VERSION "$out/headers" | grep -E "platform +$1"; }
needs() { [ "$(llvm-objdump --macho --dylibs-used "$dylib" | awk '/compatibility/ { print $1 }' | grep -v '@rpath' | sort -u)" = /usr/lib/libSystem.B.dylib ]; }
# Objects that a linker of Apple takes are Mach-O: no bitcode of an LLVM that it does not know stands instead of them.
objects() {
    local member members=0 folder
    folder=$(mktemp -d) && (cd "$folder" && llvm-ar x "$archive") || return
    for member in "$folder"/*.o; do
        [ "$(od -An -N4 -tx4 "$member" | tr -d ' ')" = feedfacf ] || { echo "$member"; return 1; }
        members=$((members + 1))
    done
    rm -r "$folder"
    echo "$members objects" && [ "$members" -gt 0 ]
}
header() {
    printf '#include "UnderpassFFI.h"\nint main(void) { return 0; }\n' |
        clang -target "$clang" -fsyntax-only -nostdlibinc -ffreestanding -Wall -Werror -I"$headers" -x c -
}
feed_header() {
    printf '#include "underpass_feed.h"\nint main(void) { return 0; }\n' |
        clang -target "$clang" -fsyntax-only -nostdlibinc -ffreestanding -Wall -Werror -Ibindings/swift/include -x c -
}
# The module map as Swift reads it, in a copy without the modules of Apple's SDK, which are not here.
module_map() {
    mkdir -p "$out/module" && cp "$headers/UnderpassFFI.h" "$out/module/" &&
        sed '/^ *use "/d' "$headers/UnderpassFFI.modulemap" >"$out/module/module.modulemap" &&
        printf '@import UnderpassFFI;\nunsigned (*take)(void) = (unsigned (*)(void))ffi_underpass_uniffi_uniffi_contract_version;\n' |
        clang -target "$clang" -fsyntax-only -fmodules -fmodules-cache-path="$out/module/cache" -nostdlibinc -ffreestanding -Wall -Werror \
            -I"$out/module" -x objective-c -
}

[ $# -gt 0 ] || set -- aarch64-apple-ios aarch64-apple-darwin
export CARGO_TARGET_DIR=$PWD/target/tools/apple
with_rust_src
table=()
for triple in "$@"; do
    started=$SECONDS
    platform "$triple"
    check "$triple: the header of the control plane" header
    check "$triple: its module map" module_map
    check "$triple: the header of the feed" feed_header
    for line in "${packages[@]}"; do
        read -r package which <<<"$line"
        library=$(tr - _ <<<"$package")
        dylib=$out/$triple/lib$library.dylib
        check "$triple: $package: the static library builds" builds
        archive=$out/$triple/lib$library.a
        check "$triple: $package: it is made of objects" objects
        check "$triple: $package: a shared library links from it" links
        check "$triple: $package: it exports the doors and nothing else" exports
        check "$triple: $package: it is for that system" is_for "$(case $triple in *ios) echo '(ios|2)' ;; *) echo '(macos|1)' ;; esac)"
        check "$triple: $package: it needs the system library alone" needs
        [ ! -f "$dylib" ] || table+=("$(printf '%-22s %-18s %10d %10d' "$triple" "$package" "$(stat -c %s "$archive")" "$(stat -c %s "$dylib")")")
    done
    say "$triple took $((SECONDS - started)) s"
done
printf '%-22s %-18s %10s %10s\n' target package static linked
printf '%s\n' "${table[@]}"
conclude
