#!/bin/bash
# Builds the core for a microcontroller without std and without a C compiler, and shows that it needs neither.
#   tests/no_std.sh [TARGET]      thumbv7em-none-eabihf by default
# The target's own `core` and `alloc` come from, in this order: the Rust toolchain (rustup target), the toolchain's
# sources (rustup component rust-src), the Debian package rust-src of the same version. What it fetches stays in
# target/tools. Ends with an error when it cannot build: nothing is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-thumbv7em-none-eabihf}
tools=target/tools
core=(-p underpass-core --no-default-features --features portable)

say() { printf 'no_std: %s\n' "$*"; }
die() { printf 'no_std: error: %s\n' "$*" >&2; exit 1; }

version=$(rustc --version | awk '{ print $2 }')
host=$(rustc -vV | awk '/^host:/ { print $2 }')
sysroot=$(rustc --print sysroot)

# fetch_rust_src INTO: unpacks `library/` of Debian's rust-src of our version; the suites are read through a private
# view of the machine's own mirror, so apt of the machine stays as it is.
fetch_rust_src() {
    local apt=$PWD/$tools/apt mirror suite found options
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    command -v apt-get >/dev/null || die "no rust-src and no apt-get: rustup component add rust-src"
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
    [ -n "$mirror" ] || die "apt knows no Debian mirror: rustup component add rust-src"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    for suite in trixie trixie-backports sid; do
        echo "deb [signed-by=$keys] $mirror $suite main"
    done >"$apt/sources.list"
    options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o "Dir::Cache::archives=$apt/cache/archives"
        -o APT::Sandbox::User= -o Acquire::Languages=none)
    say "reading the package lists of trixie, trixie-backports and sid"
    apt-get "${options[@]}" update
    found=$(apt-cache "${options[@]}" madison rust-src | awk -F' *[|] *' -v v="$version+" 'index($2, v) == 1 { print $2; exit }')
    [ -n "$found" ] || die "Debian has no rust-src $version: rustup component add rust-src"
    say "fetching rust-src $found"
    (cd "$apt" && apt-get "${options[@]}" download "rust-src=$found")
    mkdir -p "$1"
    dpkg-deb --fsys-tarfile "$apt"/rust-src_*"${found##*:}"_all.deb |
        tar -x -C "$1" --strip-components=4 "./usr/src/rustc-$version/library"
}

# own_toolchain: a copy of the toolchain, by hard links where they can be made, that has its sources beside it.
own_toolchain() {
    local copy=$PWD/$tools/rust-$version part
    [ "$sysroot" != /usr ] || die "Rust is the distribution's: install its package rust-src"
    if [ ! -e "$copy/complete" ]; then
        rm -rf "$copy" && mkdir -p "$copy"
        for part in bin lib; do
            cp -al "$sysroot/$part" "$copy/" 2>/dev/null || { rm -rf "${copy:?}/$part"; cp -a "$sysroot/$part" "$copy/"; }
        done
        fetch_rust_src "$copy/lib/rustlib/src/rust"
        touch "$copy/complete"
    fi
    # Past rustup, whose LD_LIBRARY_PATH would lead the copy back to the original.
    export PATH=$copy/bin:$PATH
}

# Nothing below the portable core may compile C, assemble, or ask an operating system: on the target, nor on hosts
# that would have the fast backend.
for triple in "$target" x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do
    tree=$(cargo tree "${core[@]}" --target "$triple" --edges normal,build --prefix none)
    unwanted=$(awk '$1 ~ /^(aws-lc-(rs|sys)|cc|cmake|getrandom|graviola|libc|ring)$/ { print $1 }' <<<"$tree" | sort -u)
    [ -z "$unwanted" ] || die "the portable core depends, on $triple, on: $(echo $unwanted)"
done

std=()
if [ ! -d "$sysroot/lib/rustlib/$target/lib" ]; then
    [ -f "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ] || own_toolchain
    # -Zbuild-std is unstable; the variable lets a stable toolchain do it.
    export RUSTC_BOOTSTRAP=1
    std=(-Zbuild-std=core,alloc)
fi

say "building the core for $target with Rust $version on $host"
# No C compiler: whoever asks for one gets this instead.
CC=/bin/false CARGO_TARGET_DIR=$tools/no_std cargo build "${core[@]}" --target "$target" "${std[@]}"
say "underpass-core builds for $target"
