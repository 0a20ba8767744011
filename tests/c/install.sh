#!/bin/bash
# Installs the C library into a folder of its own, uses it from there in every way a vendor would, and takes it away.
#   tests/c/install.sh
# Each check says what it is; the last line counts them as cargo does.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'install: %s\n' "$*"; }
die() { printf 'install: error: %s\n' "$*" >&2; exit 1; }

scratch=$(mktemp -d) || die "no scratch folder"
trap 'rm -rf "$scratch"' EXIT
said=$scratch/said
. tests/c/checks.sh
programs=tests/c/install

version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
shared=libunderpass.so.$version
soname=$(sed -n 's/^const SONAME: &str = "\(.*\)";/\1/p' bindings/c/build.rs)
stage=$scratch/stage
place=(DESTDIR="$stage" PREFIX=/opt/vendor LIBDIR=/opt/vendor/lib/cpu)
say "building"
make -C bindings/c >"$said" 2>&1 || { cat "$said"; die "the library does not build"; }
check "make install" make -C bindings/c install "${place[@]}"
# Nothing may remember where it was installed to.
mv "$stage/opt/vendor" "$scratch/vendor"
prefix=$scratch/vendor
libdir=$prefix/lib/cpu
export PKG_CONFIG_PATH=$libdir/pkgconfig
cc=${CC:-cc}
strict=(-std=c99 -D_POSIX_C_SOURCE=199309L -Wall -Wextra -pedantic -Werror)

files() {
    diff <(cd "$prefix" && find . ! -type d | sort) - <<EOF
$(for header in include/*.h include/*.hpp; do [ ! -e "$header" ] || echo "./$header"; done | sort)
./lib/cpu/cmake/Underpass/UnderpassConfig.cmake
./lib/cpu/cmake/Underpass/UnderpassConfigVersion.cmake
./lib/cpu/libunderpass.a
./lib/cpu/libunderpass.so
./lib/cpu/$soname
./lib/cpu/$shared
./lib/cpu/pkgconfig/underpass.pc
EOF
}
check "what is installed, and nothing else" files
check "the header is the one in include/" cmp include/underpass.h "$prefix/include/underpass.h"

links() {
    [ "$(readlink "$libdir/$soname")" = "$shared" ] && [ "$(readlink "$libdir/libunderpass.so")" = "$soname" ] &&
        readelf -d "$libdir/$shared" | grep -F "soname: [$soname]"
}
check "soname $soname, and the links lead to it" links

exports_shared() { diff include/underpass.symbols <(nm -D --defined-only "$libdir/$shared" | sed -n 's/.* T \(.*\)@@.*/\1/p' | sort); }
exports_static() { diff include/underpass.symbols <(nm -g --defined-only "$libdir/libunderpass.a" | awk 'NF == 3 { print $3 }' | sort); }
check "the shared library exports include/underpass.symbols" exports_shared
check "the static library shows include/underpass.symbols" exports_static

# Every function is bound to the version node of the soname, and nothing else is to be seen but the node.
node=UNDERPASS_${soname##*.}
bound() {
    local defined
    defined=$(readelf -W --dyn-syms "$libdir/$shared" | awk '$5 != "LOCAL" && $7 != "UND" && $8 != "" && $1 != "Num:" { print $8 }')
    [ "$(grep -c "^underpass_.*@@$node\$" <<<"$defined")" = "$(wc -l <include/underpass.symbols)" ] &&
        [ "$(grep -v "^underpass_.*@@$node\$" <<<"$defined")" = "$node" ]
}
check "the shared library's symbols have the version $node" bound

needs_no_rust() { ! nm -u "$libdir/libunderpass.a" | grep -E '_ZN|_R[NI]|rust'; }
check "the static library is whole" needs_no_rust

needs_little() {
    ! readelf -d "$libdir/$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libgcc_s|ld-linux-.*)\.so'
}
check "the shared library needs libc and libgcc alone" needs_little

# runs PROGRAM WANTED: it works, and it needs the shared library (WANTED 1) or not (0).
runs() {
    [ "$(readelf -d "$1" | grep -cF "[$soname]")" = "$2" ] && LD_LIBRARY_PATH=$libdir "$1" | grep -Fx "underpass $version"
}
by_pkg_config() { "$cc" "${strict[@]}" "$programs/program.c" -o "$scratch/a" $(pkg-config --cflags --libs underpass) && runs "$scratch/a" 1; }
by_pkg_config_static() {
    "$cc" "${strict[@]}" -static "$programs/program.c" -o "$scratch/b" $(pkg-config --static --cflags --libs underpass) && runs "$scratch/b" 0
}
by_flags() { "$cc" "${strict[@]}" -I"$prefix/include" "$programs/program.c" -o "$scratch/c" -L"$libdir" -lunderpass && runs "$scratch/c" 1; }
by_flags_static() {
    "$cc" "${strict[@]}" -I"$prefix/include" "$programs/program.c" -o "$scratch/d" "$libdir/libunderpass.a" && runs "$scratch/d" 0
}
pkg_config_version() { [ "$(pkg-config --modversion underpass)" = "$version" ]; }
check "pkg-config knows version $version" pkg_config_version
check "pkg-config, shared" by_pkg_config
check "pkg-config --static, a program without shared libraries" by_pkg_config_static
check "plain flags, shared" by_flags
check "plain flags, static" by_flags_static
asks_for_node() { readelf -W --dyn-syms "$scratch/a" | grep "UND underpass_version@$node"; }
check "a program asks for the version $node" asks_for_node
by_rpath() {
    "$cc" "${strict[@]}" "$programs/program.c" -o "$scratch/g" $(pkg-config --cflags --libs underpass) \
        -Wl,-rpath,"$(pkg-config --variable=libdir underpass)" && "$scratch/g"
}
check "a program that was told by -rpath where the library lies" by_rpath
other_prefix() {
    pkg-config --define-variable=prefix=/elsewhere --cflags --libs underpass | grep -xE -- '-I/elsewhere/include -L/elsewhere/lib/cpu -lunderpass ?'
}
check "pkg-config with another prefix" other_prefix
in_sysroot() {
    [ "$(PKG_CONFIG_SYSROOT_DIR=$scratch pkg-config --cflags --libs underpass)" = "$(pkg-config --cflags --libs underpass)" ]
}
check "pkg-config with the sysroot in which it lies" in_sysroot

by_cxx() {
    printf '#include <underpass.hpp>\nint main() { return underpass_version() != UNDERPASS_VERSION; }\n' >"$scratch/f.cpp"
    "${CXX:-c++}" -std=c++17 "$scratch/f.cpp" -o "$scratch/f" $(pkg-config --cflags --libs underpass) && LD_LIBRARY_PATH=$libdir "$scratch/f"
}
check "C++, the installed underpass.hpp" by_cxx

by_cmake() {
    cmake -S "$programs" -B "$scratch/cmake" -DUnderpass_DIR="$libdir/cmake/Underpass" &&
        cmake --build "$scratch/cmake" && runs "$scratch/cmake/shared" 1 && runs "$scratch/cmake/static" 0
}
refused_by_cmake() {
    ! cmake -S "$programs" -B "$scratch/cmake-$1" -DUnderpass_DIR="$libdir/cmake/Underpass" -DWANTED="$1" &&
        grep -q 'compatible with requested version' "$said"
}
check "CMake, shared and static" by_cmake
any_by_cmake() { cmake -S "$programs" -B "$scratch/cmake-any" -DUnderpass_DIR="$libdir/cmake/Underpass" -DWANTED=; }
check "CMake, whatever version there is" any_by_cmake
check "CMake, another minor version is refused" refused_by_cmake 0.0.9
check "CMake, a newer version is refused" refused_by_cmake 0.9

# Another Rust library of the same compiler: it brings a standard library of its own. Twice a number, by way of a panic.
cat >"$scratch/neighbour.rs" <<'EOF'
#[unsafe(no_mangle)]
pub extern "C" fn neighbour_twice(number: u32) -> u32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| std::panic::panic_any(number * 2));
    caught.err().and_then(|thrown| thrown.downcast::<u32>().ok()).map_or(0, |twice| *twice)
}
EOF
beside_another() {
    rustc --edition 2024 -O --crate-type staticlib -o "$scratch/libneighbour.a" "$scratch/neighbour.rs" &&
        "$cc" -I"$prefix/include" "$programs/neighbour.c" -o "$scratch/e" -Wl,--whole-archive \
            "$libdir/libunderpass.a" "$scratch/libneighbour.a" -Wl,--no-whole-archive -lm -ldl -lpthread &&
        "$scratch/e"
}
check "beside another Rust library in one program" beside_another

prefix=$stage/opt/vendor
libdir=$prefix/lib/cpu
mv "$scratch/vendor" "$prefix"
stripped() {
    local whole
    whole=$(stat -c %s "$libdir/$shared")
    make -C bindings/c install-strip "${place[@]}" && exports_shared && exports_static && by_flags && by_flags_static &&
        [ "$(stat -c %s "$libdir/$shared")" -lt "$whole" ]
}
check "make install-strip: smaller, and still whole" stripped
nothing_left() {
    make -C bindings/c uninstall "${place[@]}" && ! find "$stage" ! -type d | grep . && [ ! -e "$libdir/cmake/Underpass" ]
}
check "make uninstall leaves nothing" nothing_left

# The static library alone, as toolchains want it that cannot link shared ones.
prefix=$scratch/static
libdir=$prefix/lib
export PKG_CONFIG_PATH=$libdir/pkgconfig
static_alone() {
    make -C bindings/c install-static PREFIX="$prefix" && [ -f "$libdir/libunderpass.a" ] && ! find "$prefix" -name '*.so*' | grep .
}
check "make install-static: no shared library" static_alone
dependent() { "$cc" "${strict[@]}" "$programs/program.c" -o "$scratch/h" $(pkg-config "$@" --cflags --libs underpass) && runs "$scratch/h" 0; }
independent() {
    "$cc" "${strict[@]}" -static "$programs/program.c" -o "$scratch/i" $(pkg-config --static --cflags --libs underpass) &&
        runs "$scratch/i" 0 && ! readelf -l "$scratch/i" | grep INTERP && { ldd "$scratch/i" 2>&1 || true; } | grep 'not a dynamic executable'
}
check "static alone: pkg-config" dependent
check "static alone: pkg-config --static" dependent --static
check "static alone: pkg-config --static, a program without shared libraries" independent
alone_by_cmake() {
    cmake -S "$programs" -B "$scratch/cmake-static" -DUnderpass_DIR="$libdir/cmake/Underpass" &&
        cmake --build "$scratch/cmake-static" && runs "$scratch/cmake-static/shared" 0 && runs "$scratch/cmake-static/static" 0
}
check "static alone: CMake, either target" alone_by_cmake

conclude
