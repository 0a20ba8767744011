#!/bin/bash
# Unpacks the resolvers that the tests of name servers run: systemd-resolved with what it needs and this machine lacks,
# openresolv, and Debian's resolvconf. Nothing is installed: the tests lay the folders over /usr, each for itself alone.
#   tests/resolvers.sh LINK    and has LINK lead to them
# They are kept in the user's cache by the versions of the packages and this recipe, whole or not at all.
set -euo pipefail
link=$(realpath -m -s "${1:?where shall the link be}")
recipe=$(realpath "$0")

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass

say() { printf 'resolvers: %s\n' "$*"; }
die() { printf 'resolvers: error: %s\n' "$*" >&2; exit 1; }

# Refreshes apt's lists, as root.
refresh() {
    if [ "$(id -u)" = 0 ]; then apt-get -q -o DPkg::Lock::Timeout=300 update
    else sudo apt-get -q -o DPkg::Lock::Timeout=300 update
    fi
}

# Prints the packages named, as NAME=VERSION.
candidates() { apt-cache policy "$@" | awk '/^[^ ]/ { name = $1; sub(":$", "", name) } $1 == "Candidate:" && $2 != "(none)" { print name "=" $2 }'; }

# Prints what the packages named need, themselves among it, but for what is installed in the same version.
missing() {
    local needed
    mapfile -t needed < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep '^[a-z0-9]' | sort -u)
    apt-cache policy "${needed[@]}" | awk '/^[^ ]/ { name = $1; sub(":$", "", name) } $1 == "Installed:" { installed = $2 }
        $1 == "Candidate:" && $2 != installed && $2 != "(none)" { print name "=" $2 }'
}

# unpack FOLDER PACKAGE=VERSION...: into ./FOLDER, as on a machine whose /bin, /sbin and /lib are links into /usr.
unpack() {
    local into=$1 file folder
    shift
    mkdir debs
    (cd debs && { apt-get -q -o APT::Sandbox::User=root download "$@" || { refresh && apt-get -q -o APT::Sandbox::User=root download "$@"; }; })
    for file in debs/*.deb; do dpkg-deb -x "$file" "$into"; done
    rm -r debs
    for folder in bin sbin lib lib64; do
        [ -d "$into/$folder" ] || continue
        mkdir -p "$into/usr/$folder"
        cp -a "$into/$folder/." "$into/usr/$folder/"
        rm -r "${into:?}/$folder"
    done
}

resolved=(systemd systemd-resolved dbus-daemon)
wanted() { candidates "${resolved[@]}" openresolv resolvconf; }
[ "$(wanted | wc -l)" = 5 ] || { refresh && [ "$(wanted | wc -l)" = 5 ]; } || die "apt does not know the packages: this is no Debian 12 or later"
mapfile -t packages < <(missing "${resolved[@]}")
home=$cache/resolvers-$( (cat "$recipe"; wanted; printf '%s\n' "${packages[@]}") | cksum | cut -d' ' -f1)
if [ ! -d "$home" ]; then
    say "unpacking in $home: $(wanted | paste -sd' ')"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.resolvers.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    cd "$draft"
    mkdir resolved
    [ ${#packages[@]} = 0 ] || unpack resolved "${packages[@]}"
    unpack openresolv "$(candidates openresolv)"
    unpack resolvconf "$(candidates resolvconf)"
    mkdir -p {resolved,openresolv,resolvconf}/{usr,etc}
    chmod 755 "$draft"
    # Another clone may have been faster: then what it made is as good.
    mv -T "$draft" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
fi
mkdir -p "$(dirname "$link")"
ln -sfn "$home" "$link"
