#!/bin/bash
# Sourced by tests that build for other CPUs: the sources of Rust's own libraries, for what no ready target is there.
# They come from, in this order: the Rust toolchain (rustup component rust-src), the Debian package rust-src of the same
# version. What it fetches stays in target/tools. The caller has `say` and `die`, and stands in the project's folder.

rust_version=$(rustc --version | awk '{ print $2 }')
sysroot=$(rustc --print sysroot)

# with_rust_src: from here on cargo can build Rust's libraries itself, by -Zbuild-std.
with_rust_src() {
    [ -f "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ] || own_toolchain
    # -Zbuild-std is unstable; the variable lets a stable toolchain do it.
    export RUSTC_BOOTSTRAP=1
}

# own_toolchain: a copy of the toolchain, by hard links where they can be made, that has its sources beside it.
own_toolchain() {
    local copy=$PWD/target/tools/rust-$rust_version part
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

# fetch_rust_src INTO: unpacks `library/` of Debian's rust-src of our version; the suites are read through a private
# view of the machine's own mirror, so apt of the machine stays as it is.
fetch_rust_src() {
    local apt=$PWD/target/tools/apt mirror suite found options
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
    found=$(apt-cache "${options[@]}" madison rust-src | awk -F' *[|] *' -v v="$rust_version+" 'index($2, v) == 1 { print $2; exit }')
    [ -n "$found" ] || die "Debian has no rust-src $rust_version: rustup component add rust-src"
    say "fetching rust-src $found"
    (cd "$apt" && apt-get "${options[@]}" download "rust-src=$found")
    mkdir -p "$1"
    dpkg-deb --fsys-tarfile "$apt"/rust-src_*"${found##*:}"_all.deb |
        tar -x -C "$1" --strip-components=4 "./usr/src/rustc-$rust_version/library"
}
