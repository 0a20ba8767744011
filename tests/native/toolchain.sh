#!/bin/bash
# Makes what stands in for the NDK, where there is none: link stubs with the names of real Android libraries of API 23 (the
# Maven artifact unidbg-android has them), and LLVM's unwinder from the sources that zig brings. Prints where they are:
# a folder of the user's cache, keyed by version and recipe, with one folder per ABI. A second clone finds it there.
#   tests/native/toolchain.sh
# android/native.sh takes it by STAND_IN. Of x86_64 no Android library is to be had: its stubs have the names of arm64.
. "$(dirname "$0")/../afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass
unidbg=0.9.8
zig=$PWD/target/tools/zig/ziglang

say() { printf 'toolchain: %s\n' "$*" >&2; }
die() { printf 'toolchain: error: %s\n' "$*" >&2; exit 1; }

for tool in clang mvn readelf objcopy aarch64-linux-gnu-objcopy arm-linux-gnueabihf-objcopy; do
    command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh test"
done
[ -x "$zig/zig" ] || die "there is no zig in target/tools: run tests/setup.sh test"
version=$unidbg-$("$zig/zig" version)
home=$cache/android-$version-$(cksum <tests/native/toolchain.sh | cut -d' ' -f1)
[ ! -d "$home" ] || { echo "$home"; exit; }

mkdir -p "$cache"
draft=$(mktemp -d "$cache/.android.XXXXXX")
trap 'rm -rf "$draft"' EXIT
export ZIG_GLOBAL_CACHE_DIR=$draft/zig ZIG_LOCAL_CACHE_DIR=$draft/zig
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | awk '/^host:/ { print $2 }')/bin/gcc-ld/ld.lld
[ -x "$linker" ] || die "this Rust brings no linker"

# stub TARGET REAL OUT: a shared library with the name and the dynamic symbols of REAL, and nothing behind them.
stub() {
    readelf --dyn-syms -W "$2" 2>/dev/null | awk '($5 == "GLOBAL" || $5 == "WEAK") && $7 != "UND" && $7 != "ABS" { sub(/@.*/, "", $8); print $4, $8 }' |
        sort -u -k2,2 | awk '{
            object = $1 == "OBJECT"
            print object ? ".data" : ".text"
            printf ".globl %s\n.type %s,%%%s\n%s: .8byte 0\n", $2, $2, object ? "object" : "function", $2
            if (object) printf ".size %s,8\n", $2
        }' >"$draft/stub.s"
    clang "--target=$1" -nostdlib -shared "--ld-path=$linker" -Wl,-soname,"$(basename "$2")" "$draft/stub.s" -o "$3"
}

# unwinder ZIG OBJCOPY INTO: LLVM's libunwind for Android. Its sources are compiled against the headers of musl, of which
# only errno has another name.
unwinder() {
    local sources=$zig/lib/libunwind objects=$draft/objects source
    local flags=(-target "$1" -D_LIBUNWIND_IS_NATIVE_ONLY -DNDEBUG -fPIC -Os -funwind-tables -fvisibility=hidden
        -fno-sanitize=undefined -fno-addrsig -fdebug-prefix-map="$zig"=zig -g0 -I"$sources/include" -I"$sources/src")
    rm -rf "$objects" && mkdir "$objects"
    for source in libunwind.cpp Unwind-EHABI.cpp; do
        "$zig/zig" c++ "${flags[@]}" -fno-exceptions -fno-rtti -nostdlib++ -c "$sources/src/$source" -o "$objects/$source.o"
    done
    for source in UnwindLevel1.c UnwindLevel1-gcc-ext.c UnwindRegistersRestore.S UnwindRegistersSave.S; do
        "$zig/zig" cc "${flags[@]}" -c "$sources/src/$source" -o "$objects/$source.o"
    done
    for source in "$objects"/*.o; do "$2" --redefine-sym __errno_location=__errno "$source"; done
    ar rcsD "$3/libunwind.a" "$objects"/*.o
}

say "making $home"
mvn --batch-mode --quiet --no-transfer-progress org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy \
    "-Dartifact=com.github.zhkl0228:unidbg-android:$unidbg" "-DoutputDirectory=$draft" >&2
unzip -q -d "$draft/real" "$draft/unidbg-android-$unidbg.jar" 'android/sdk23/*'
# abi NAME TARGET REAL ZIG OBJCOPY
abi() {
    local library
    mkdir -p "$draft/home/$1"
    for library in libc libm libdl liblog; do
        stub "$2" "$draft/real/android/sdk23/$3/$library.so" "$draft/home/$1/$library.so"
    done
    unwinder "$4" "$5" "$draft/home/$1"
}
abi arm64-v8a aarch64-linux-android23 lib64 aarch64-linux-musl aarch64-linux-gnu-objcopy
abi armeabi-v7a armv7a-linux-androideabi23 lib arm-linux-musleabi arm-linux-gnueabihf-objcopy
abi x86_64 x86_64-linux-android23 lib64 x86_64-linux-musl objcopy
# Another clone may have been faster: then what it made is as good.
mv -T "$draft/home" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
echo "$home"
