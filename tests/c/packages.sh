#!/bin/bash
# The source tarball of the C library, and the packages that are made from it: the tarball is made twice, built without
# network, made into Debian's packages in a Debian trixie, and built by the steps of the recipes for OpenWrt and Buildroot,
# for musl.
#   tests/c/packages.sh
# Neither SDK is here: packages/openwrt.mk and packages/buildroot.mk beside this script stand for what the recipes include.
# Debian's packages are built as they ship, the rest without optimising, for building takes the time. The last line counts
# the checks as cargo does.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'packages: %s\n' "$*"; }
die() { printf 'packages: error: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

for tool in dpkg-deb musl-gcc pkg-config xz unshare; do
    command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh"
done
out=$PWD/target/tools/packages
stubs=$PWD/tests/c/packages
project=$PWD
mkdir -p "$out"
said=$out/said
. tests/c/checks.sh
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=underpass-$version
tree=$out/$name
for profile in RELEASE ROUTER; do
    export "CARGO_PROFILE_${profile}_OPT_LEVEL=0" "CARGO_PROFILE_${profile}_LTO=off" "CARGO_PROFILE_${profile}_DEBUG=false" \
        "CARGO_PROFILE_${profile}_CODEGEN_UNITS=16"
done

# Packing well takes longer than all the rest.
made_twice() {
    local epoch=(SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)")
    rm -rf "$out/once" "$out/twice"
    env "${epoch[@]}" XZ_LEVEL=0 CARGO_TARGET_DIR="$out/once" make -C bindings/c dist &&
        env "${epoch[@]}" XZ_LEVEL=0 CARGO_TARGET_DIR="$out/twice" make -C bindings/c dist &&
        cmp "$out/once/c/$name.tar.xz" "$out/twice/c/$name.tar.xz"
}
check "make dist gives the same bytes twice" made_twice
tarball=$out/once/c/$name.tar.xz
[ -f "$tarball" ] || die "there is no tarball"

listed() { tar -tvf "$tarball"; }
# Sorted, of one owner and one time; no file from outside, no crate that only tests need.
orderly() {
    listed >"$out/list" && [ "$(awk '{ print $2, $4, $5 }' "$out/list" | sort -u | wc -l)" = 1 ] &&
        ! awk '{ print $6 }' "$out/list" | grep -v "^$name/" && ! grep -E '/vendor/(proptest|wycheproof|cbindgen|serde)-[0-9]| [^/]*/(linux|target|tests|fuzz)/' "$out/list"
}
check "the tarball is orderly, and has no crates of tests" orderly

# Where it is unpacked stays the same, so that cargo needs not build all of it again in the next run.
mkdir -p "$out/new" && tar -xf "$tarball" -C "$out/new" || die "the tarball does not unpack"
mkdir -p "$tree" && find "$tree" -mindepth 1 -maxdepth 1 -not -name vendor -exec rm -rf {} +
same_crates() { [ -d "$tree/vendor" ] && diff -rq "$tree/vendor" "$out/new/$name/vendor" >/dev/null; }
if same_crates; then rm -rf "$out/new/$name/vendor"; else rm -rf "$tree/vendor"; fi
cp -a "$out/new/$name/." "$tree/" && rm -rf "$out/new"

# From here on there is no network for cargo, no crate but those of the tarball, and Rust without rustup, which would look
# for a home.
PATH=$(rustc --print sysroot)/bin:$PATH
export CARGO_NET_OFFLINE=true CARGO_HOME=$out/empty CARGO_TARGET_DIR=$out/target
rm -rf "$out/empty" && mkdir "$out/empty" && cd "$tree" || die "there is no tree"

strict=(-std=c99 -D_POSIX_C_SOURCE=199309L -Wall -Wextra -pedantic -Werror)
program=$project/tests/c/install/program.c
# works COMPILER USR LIBDIR: a program is compiled with what is installed below USR, runs with it, and needs it.
works() {
    PKG_CONFIG_LIBDIR=$3/pkgconfig PKG_CONFIG_SYSROOT_DIR=${2%/usr} "$1" "${strict[@]}" "$program" -o "$out/program" \
        $(PKG_CONFIG_LIBDIR=$3/pkgconfig PKG_CONFIG_SYSROOT_DIR=${2%/usr} pkg-config --cflags --libs underpass) &&
        readelf -d "$out/program" | grep -F '[libunderpass.so.0]' && LD_LIBRARY_PATH=$3 "$out/program" | grep -Fx "underpass $version"
}
built() {
    rm -rf "$out/root" && make -C bindings/c install PREFIX=/usr DESTDIR="$out/root" && ! ls -d "$out/empty/registry/cache" &&
        works cc "$out/root/usr" "$out/root/usr/lib"
}
check "the tarball builds without network and with an empty CARGO_HOME" built
locked() {
    cp Cargo.lock "$out/lock" && sed -i '/^name = "underpass-core"/,/^$/s/^version = .*/version = "0.0.9"/' Cargo.lock
    ! make -C bindings/c
    cp "$out/lock" Cargo.lock && grep -qF 'because --locked was passed' "$said"
}
check "another Cargo.lock is refused" locked

# As Debian does it, in a trixie with the Rust of its backports: built as it ships, no Build-Depends is waived.
trixie=$("$project/tests/trixie/make.sh" packages) || die "there is no Debian trixie"
debian=$out/debian
as_root rm -rf "$debian" && mkdir -p "$debian" "$out/layer" && cp "$tarball" "$debian/" && cp -r bindings/c/packaging/debian "$debian/debian"
as_root unshare --mount --net --pid --fork --kill-child "$project/tests/trixie/inside.sh" "$trixie" "$out/layer" "$debian" \
    "$project/tests/c/packages/debian.sh" "$version" \
    </dev/null >"$out/debian.log" 2>&1
as_root rm -rf "$debian/$name"
# came_to STEP: it began that step; shows once why it did not.
was_shown=
came_to() {
    grep -qFx "step: $1" "$out/debian.log" && return
    [ -n "$was_shown" ] || tail -n 40 "$out/debian.log"
    was_shown=yes
    return 1
}
architecture=$(dpkg --print-architecture)
library=$debian/libunderpass0_$version-1_$architecture.deb
development=${library/libunderpass0/libunderpass-dev}
parted() {
    [ "$(dpkg-deb -c "$library" | grep -c 'libunderpass\.so\.0')" -ge 2 ] && ! dpkg-deb -c "$library" | grep -E '\.(a|h|pc)$' &&
        dpkg-deb -f "$library" Depends | grep -F 'libc6 (>=' && dpkg-deb -f "$development" Depends | grep -F 'libunderpass0 (= '
}
check "Debian: dpkg-buildpackage, source and binary packages" came_to lintian
check "Debian: lintian finds no error" came_to "apt-get install"
check "Debian: the packages are installed by apt" came_to "the installed examples"
check "Debian: the installed examples, shared and static" came_to "apt-get remove"
check "Debian: the packages are removed again" came_to "done"
check "Debian: the library in one package, the rest in the other, which depends on it" parted

# musl is what OpenWrt and Buildroot have mostly. The tarball has no crates of Rust's own library, which must be there.
triple=x86_64-unknown-linux-musl compiler=musl-gcc
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple/lib" ]; then
    say "Rust has no library for $triple here: the recipes are run for the host instead"
    triple=$(rustc --print host-tuple) compiler=gcc
fi
export HARNESS_TARGET=$triple HARNESS_CC=$compiler HARNESS_VERSION=$version
openwrt() {
    rm -rf "$out/openwrt" && mkdir -p "$out/openwrt/feeds/packages/lang/rust" && touch "$out/openwrt/rules.mk" \
        "$out/openwrt/feeds/packages/lang/rust/rust-package.mk" && cp "$stubs/openwrt.mk" "$out/openwrt/package.mk" &&
        make -f "$project/bindings/c/packaging/openwrt/underpass/Makefile" TOPDIR="$out/openwrt" INCLUDE_DIR="$out/openwrt" \
            PKG_BUILD_DIR="$tree" OUT="$out/openwrt" package &&
        works "$compiler" "$out/openwrt/staging/usr" "$out/openwrt/staging/usr/lib" &&
        [ "$(cd "$out/openwrt/ipkg" && find . ! -type d | sort | paste -sd' ')" = "./usr/lib/libunderpass.so.0 ./usr/lib/libunderpass.so.$version" ]
}
check "OpenWrt: the steps of the recipe" openwrt
# buildroot ARGUMENTS...: what its infrastructure runs of a package.
buildroot() {
    rm -rf "$out/buildroot" && make -f "$stubs/buildroot.mk" RECIPE="$project/bindings/c/packaging/buildroot/underpass/underpass.mk" \
        TREE="$tree" OUT="$out/buildroot" "$@" package
}
buildroot_shared() {
    buildroot && works "$compiler" "$out/buildroot/staging/usr" "$out/buildroot/staging/usr/lib" && ls "$out/buildroot/target/usr/lib/libunderpass.so.0"
}
buildroot_static() {
    buildroot BR2_STATIC_LIBS=y && ls "$out/buildroot/staging/usr/lib/libunderpass.a" && ! find "$out/buildroot" -name '*.so*' | grep .
}
buildroot_licences() { awk '$1 == "sha256" { print $2 "  " $3 }' "$project/bindings/c/packaging/buildroot/underpass/underpass.hash" | sha256sum -c; }
check "Buildroot: the steps of the recipe" buildroot_shared
check "Buildroot: the same with static libraries alone" buildroot_static
check "Buildroot: the hashes of the licences" buildroot_licences

conclude
