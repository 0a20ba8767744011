#!/bin/bash
# Makes a Debian trixie in a folder, with Rust from its backports and what debian/control of the C library asks for:
#   tests/c/packages/trixie.sh        prints the folder
# It is kept in the user's cache by the recipe and what is asked for, whole or not at all: a second clone finds it there. Root
# makes it, by way of sudo where that is needed. What is mounted for it is seen by the commands in it alone and is gone with them.
set -euo pipefail
cd "$(dirname "$0")/../../.."

control=bindings/c/packaging/debian/control
# Beside what control asks for: what a program is built with, and what looks at packages.
more=(pkgconf lintian)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass

say() { printf 'trixie: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# make_it FOLDER MIRROR: as root, in namespaces of its own.
make_it() {
    local root=$1 mirror=$2 inside
    debootstrap --variant=minbase trixie "$root" "$mirror"
    inside=(chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive)
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    # What nobody reads here takes time to unpack.
    printf 'force-unsafe-io\npath-exclude=/usr/share/%s/*\n' man >"$root/etc/dpkg/dpkg.cfg.d/lean"
    printf 'path-exclude=/usr/share/%s/*\n' locale info >>"$root/etc/dpkg/dpkg.cfg.d/lean"
    echo 'man-db man-db/auto-update boolean false' | "${inside[@]}" debconf-set-selections
    echo "deb $mirror trixie-backports main" >"$root/etc/apt/sources.list.d/backports.list"
    printf 'Package: src:rustc src:cargo\nPin: release n=trixie-backports\nPin-Priority: 990\n' >"$root/etc/apt/preferences.d/rust"
    mkdir -p "$root/srv/asked/debian" && cp "$control" "$root/srv/asked/debian/"
    "${inside[@]}" apt-get -q -o Acquire::Languages=none update
    "${inside[@]}" apt-get -q install -y --no-install-recommends "${more[@]}"
    (cd / && "${inside[@]}" sh -c 'cd /srv/asked && apt-get -q build-dep -y --no-install-recommends .')
    "${inside[@]}" rustc --version
    "${inside[@]}" apt-get clean
    rm -rf "$root/srv/asked" "$root"/var/lib/apt/lists/*
}

if [ "${1:-}" = --make ]; then
    make_it "$2" "$3"
    exit
fi

command -v debootstrap >/dev/null || PATH=$PATH:/usr/sbin command -v debootstrap >/dev/null || die "there is no debootstrap: run tests/setup.sh"
home=$cache/trixie-$(cat "tests/c/packages/${0##*/}" <(grep '^Build-Depends:' "$control") | cksum | cut -d' ' -f1)
if [ ! -d "$home" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" && !found { print $1; found = 1 }')
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    say "making a Debian trixie in $home"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.trixie.XXXXXX")
    trap 'as_root rm -rf --one-file-system "$draft"' EXIT
    as_root chmod 755 "$draft"
    as_root env PATH="$PATH:/usr/sbin:/sbin" unshare --mount --pid --fork --kill-child "$PWD/tests/c/packages/${0##*/}" --make "$draft/root" "$mirror" \
        >"$cache/trixie.log" 2>&1 || { tail -n 30 "$cache/trixie.log" >&2; die "it cannot be made: $cache/trixie.log"; }
    # Another clone may have been faster: then what it made is as good.
    as_root mv -T "$draft/root" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
fi
printf '%s\n' "$home"
