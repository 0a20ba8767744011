#!/bin/bash
# Makes the source tarball of the C library: what it is built from, and the crates that it needs.
#   packaging/dist.sh VERSION INTO      writes INTO/underpass-VERSION.tar.xz; `make dist` calls it
# The same sources give the same bytes: names are sorted, owner and modes fixed, and all times are SOURCE_DATE_EPOCH, by default
# the time of the last commit. XZ_LEVEL= (6) is the level of compression. Cargo fetches crates that this machine does not have yet.
set -euo pipefail
umask 022
export LC_ALL=C
root=$(cd "$(dirname "$0")/../../.." && pwd)
name=underpass-$1
into=$2
# Crates that no Linux needs are named by Cargo.lock, so cargo wants to see them: they become empty ones.
systems=(x86_64-unknown-linux-gnu x86_64-unknown-linux-musl i686-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-unknown-linux-musl
    armv7-unknown-linux-gnueabihf armv7-unknown-linux-musleabihf mips-unknown-linux-musl mipsel-unknown-linux-musl
    powerpc64-unknown-linux-gnu riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu)

die() { printf 'dist: error: %s\n' "$*" >&2; exit 1; }

[ ! -d "$root/vendor" ] || die "this is the tarball already"
time=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || true)}
[ -n "$time" ] || die "this is no git checkout: set SOURCE_DATE_EPOCH"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/$name
mkdir "$tree"

# take FIND-ARGUMENTS: copies files with their folders, from the project's root.
take() { (cd "$root" && find "$@" -type f -print0 | tar -c --null -T - -f -) | tar -x -C "$tree" -f -; }
take LICENSE-APACHE LICENSE-MIT CHANGELOG.md SECURITY.md Cargo.lock Cargo.toml docs/c-guide.md
take include bindings/c/src core/src \( -name '*.rs' -o -name '*.h' -o -name '*.hpp' -o -name '*.symbols' \)
take core/Cargo.toml bindings/c/Cargo.toml bindings/c/build.rs bindings/c/Makefile bindings/c/layout
take bindings/c/examples \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.ld' -o -name Makefile -o -name CMakeLists.txt \)
# Recipes that name the hash of this tarball cannot be in it.
take bindings/c/packaging -not -path '*/openwrt/*' -not -path '*/buildroot/*' -not -name README.in
cp "$root/bindings/c/packaging/README.in" "$tree/README.md"

# Two members, without what only tests need.
sed -i -e 's|^members = .*|members = ["core", "bindings/c"]|' -e '/^exclude = /d' -e '/^underpass-core = /!{/^underpass-[a-z]* = /d}' "$tree/Cargo.toml"
for manifest in core bindings/c; do
    awk '/^\[/ { dropped = $0 == "[dev-dependencies]" || $0 ~ /^\[\[(bench|example|test)\]\]$/ } !dropped' "$root/$manifest/Cargo.toml" >"$tree/$manifest/Cargo.toml"
done

cd "$tree"
cargo vendor --quiet --versioned-dirs vendor >/dev/null
# Cargo has dropped from the lock what is not needed any more; it must not have chosen anything anew.
packages() { awk '/^name = / { name = $3 } /^version = / { print name, $3 }' "$1" | sort; }
[ -z "$(comm -13 <(packages "$root/Cargo.lock") <(packages Cargo.lock))" ] || die "Cargo.lock of the project is not up to date"
mkdir .cargo
cat >.cargo/config.toml <<'END'
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "vendor"
END
cargo tree --locked --offline -p underpass-c --features fast,portable "${systems[@]/#/--target=}" -e normal,build --prefix none |
    awk '$2 ~ /^v/ { print $1 "-" substr($2, 2) }' | sort -u >"$scratch/needed"
for crate in vendor/*; do
    ! grep -qxF "${crate##*/}" "$scratch/needed" || continue
    checksum=$(sed -n 's/.*"package":"\([0-9a-f]*\)".*/\1/p' "$crate/.cargo-checksum.json")
    library=$(awk '/^\[/ { lib = $0 == "[lib]" } lib && /^path = / { gsub(/"/, "", $3); print $3 }' "$crate/Cargo.toml")
    find "$crate" -mindepth 1 -maxdepth 1 -not -name Cargo.toml -exec rm -r {} +
    library=${library:-src/lib.rs}
    mkdir -p "$crate/$(dirname "$library")"
    : >"$crate/$library"
    printf '{"files":{},"package":"%s"}' "$checksum" >"$crate/.cargo-checksum.json"
done

mkdir -p "$into"
cd "$scratch"
tar -c --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$time" -f "$name.tar" "$name"
xz -T1 "-${XZ_LEVEL:-6}" "$name.tar"
mv "$name.tar.xz" "$into/"
printf 'dist: %s: %d crates, %d empty ones beside them, %d bytes\n' "$name.tar.xz" "$(grep -vc '^underpass-' "$scratch/needed")" \
    $(($(ls "$name/vendor" | wc -l) - $(grep -vc '^underpass-' "$scratch/needed"))) "$(stat -c %s "$into/$name.tar.xz")"
(cd "$into" && sha256sum "$name.tar.xz")
