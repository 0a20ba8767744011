#!/bin/bash
# Makes a Debian trixie in a folder, with what one of the recipes beside this file adds to it:
#   tests/trixie/make.sh packages     what the packages of the C library are built with; prints the folder
#   tests/trixie/make.sh swift        Swift
# It is kept in the user's cache by the recipe and what is asked for, whole or not at all: a second clone finds it there. Root
# makes it, by way of sudo where that is needed. What is mounted for it is seen by the commands in it alone and is gone with them.
#
# A recipe defines `keyed_by`, which prints what else it depends on, and `fill ROOT MIRROR`, which runs commands by `inside`.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass

say() { printf 'trixie: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# make_it FOLDER MIRROR: as root, in namespaces of its own.
make_it() {
    local root=$1 mirror=$2
    inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
    debootstrap --variant=minbase trixie "$root" "$mirror"
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    # What nobody reads here takes time to unpack.
    printf 'force-unsafe-io\npath-exclude=/usr/share/%s/*\n' man >"$root/etc/dpkg/dpkg.cfg.d/lean"
    printf 'path-exclude=/usr/share/%s/*\n' locale info >>"$root/etc/dpkg/dpkg.cfg.d/lean"
    echo 'man-db man-db/auto-update boolean false' | inside debconf-set-selections
    fill "$root" "$mirror"
    inside apt-get clean
    rm -rf "$root"/var/lib/apt/lists/*
}

if [ "$1" = --make ]; then
    . "tests/trixie/$2.sh"
    make_it "$3" "$4"
    exit
fi

recipe=$1
[ -f "tests/trixie/$recipe.sh" ] || die "there is no recipe '$recipe'"
. "tests/trixie/$recipe.sh"
command -v debootstrap >/dev/null || PATH=$PATH:/usr/sbin command -v debootstrap >/dev/null || die "there is no debootstrap: run tests/setup.sh"
home=$cache/trixie-$recipe-$(cat tests/trixie/make.sh "tests/trixie/$recipe.sh" <(keyed_by) | cksum | cut -d' ' -f1)
if [ ! -d "$home" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" && !found { print $1; found = 1 }')
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    say "making a Debian trixie in $home"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.trixie.XXXXXX")
    trap 'as_root rm -rf --one-file-system "$draft"' EXIT
    as_root chmod 755 "$draft"
    as_root env PATH="$PATH:/usr/sbin:/sbin" unshare --mount --pid --fork --kill-child "$PWD/tests/trixie/make.sh" --make "$recipe" "$draft/root" "$mirror" \
        >"$cache/trixie-$recipe.log" 2>&1 || { tail -n 30 "$cache/trixie-$recipe.log" >&2; die "it cannot be made: $cache/trixie-$recipe.log"; }
    # Another clone may have been faster: then what it made is as good.
    as_root mv -T "$draft/root" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
fi
printf '%s\n' "$home"
