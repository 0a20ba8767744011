#!/bin/bash
# Builds libunderpass_jni.so for Android, small and with both doors, into OUT/ABI/, and beside it, as .debug, what names the
# lines of a crash.
#   android/native.sh OUT ABI...      ABI: arm64-v8a, armeabi-v7a, x86_64
# It needs the component rust-src, for Rust's own library is built along, and one of:
#   ANDROID_NDK_HOME=   the NDK (r25 or newer)
#   STAND_IN=           a folder with a folder per ABI, of link stubs and an unwinder (tests/native/toolchain.sh), beside clang
# Panics unwind: each entry of the library catches them, so a bug does not end the app.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

api=23
die() { printf 'native: error: %s\n' "$*" >&2; exit 1; }
[ $# -ge 2 ] || die "usage: android/native.sh OUT ABI..."
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
host=$(rustc -vV | awk '/^host:/ { print $2 }')
target_dir=${CARGO_TARGET_DIR:-$root/target}

# abi NAME: what it is called by Rust and by clang, and which backend it has.
abi() {
    backend=fast
    case $1 in
        arm64-v8a) triple=aarch64-linux-android clang=aarch64-linux-android$api ;;
        armeabi-v7a) triple=armv7-linux-androideabi clang=armv7a-linux-androideabi$api backend=portable ;;
        x86_64) triple=x86_64-linux-android clang=x86_64-linux-android$api ;;
        *) die "what is '$1'? one of arm64-v8a, armeabi-v7a, x86_64" ;;
    esac
}

# tools ABI: how C is compiled and how it is linked.
tools() {
    local bin
    if [ -n "${STAND_IN:-}" ]; then
        [ -f "$STAND_IN/$1/libc.so" ] || die "STAND_IN has no $1"
        # What C there is includes no header of Android; the last word keeps those of clang from it.
        export "CC_${triple//-/_}=clang" "CFLAGS_${triple//-/_}=-nostdlibinc -DRING_CORE_NOSTDLIBINC -D__MM_MALLOC_H" "AR_${triple//-/_}=ar"
        link=(clang "--target=$clang" -nostdlib "-L$STAND_IN/$1"
            "--ld-path=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld/ld.lld")
    else
        bin=$(echo "${ANDROID_NDK_HOME:?name the NDK by it}"/toolchains/llvm/prebuilt/*/bin)
        [ -x "$bin/$clang-clang" ] || die "ANDROID_NDK_HOME has no $clang-clang"
        export "CC_${triple//-/_}=$bin/$clang-clang" "AR_${triple//-/_}=$bin/llvm-ar"
        link=("$bin/$clang-clang")
    fi
    objcopy=$(command -v llvm-objcopy || echo "$bin/llvm-objcopy")
}

build() {
    local static=$target_dir/$triple/mobile/libunderpass_jni.a made=$target_dir/$triple/mobile/android flags=${RUSTFLAGS:-} folder
    # Messages name files. The same sources make the same library, wherever they lie.
    for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do flags+=" --remap-path-prefix=$folder=crates"; done
    flags+=" --remap-path-prefix=$root=underpass --remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=rust"
    rm -rf "$made" && mkdir -p "$made" "$out/$1"
    # Cargo also links the control plane as a library of its own. That is of no use here, and made of nothing.
    printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" != -o ] || : >"$2"; shift; done\n' >"$made/linker"
    chmod +x "$made/linker"
    export "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$triple")_LINKER=$made/linker"
    # Unstable; the variable lets a stable toolchain do it.
    (cd "$root" && RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" cargo rustc --locked --quiet -p underpass-jni --lib --crate-type staticlib --profile mobile \
        --target "$triple" --target-dir "$target_dir" --no-default-features --features "$backend pump" \
        -Zbuild-std=std,panic_unwind -Zbuild-std-features=optimize_for_size)
    # The doors alone are exported: that of JNI, and what the generated Kotlin and Swift call. What uniffi leaves for its generator
    # to read is left out with what nobody calls.
    { echo JNI_OnLoad; grep -rhoE '\b(uniffi|ffi)_underpass_uniffi_\w+' "$root/bindings/uniffi/generated"; } | LC_ALL=C sort -u >"$made/doors"
    { echo '{ global:'; sed 's/$/;/' "$made/doors"; echo 'local: *; };'; } >"$made/exports"
    sed 's/^/-Wl,-u,/' "$made/doors" >"$made/wanted"
    "${link[@]}" -shared -Wl,--as-needed -o "$made/libunderpass_jni.so" "@$made/wanted" "$static" -lunwind -llog -lm -ldl -lc \
        -Wl,-soname,libunderpass_jni.so -Wl,--version-script,"$made/exports" -Wl,--no-undefined -Wl,--no-undefined-version -Wl,--gc-sections \
        -Wl,-z,max-page-size=16384 -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--eh-frame-hdr -Wl,--build-id=sha1 -Wl,--icf=safe \
        -Wl,--hash-style=both -Wl,-O2
    "$objcopy" --only-keep-debug "$made/libunderpass_jni.so" "$out/$1/libunderpass_jni.so.debug"
    "$objcopy" --strip-all "$made/libunderpass_jni.so" "$out/$1/libunderpass_jni.so"
}

for name in "$@"; do
    abi "$name"
    tools "$name"
    build "$name"
done
