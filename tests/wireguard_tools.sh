#!/bin/bash
# Unpacks the newest `wg` and `wg-quick` that Debian has, whichever suite they are in, with the C library that they were built for.
# Nothing is installed: the tests call them by their path.
#   tests/wireguard_tools.sh LINK    and has LINK lead to them: LINK/bin/wg, LINK/bin/wg-quick
# They are kept in the user's cache by their version and this recipe, whole or not at all. apt gets a view of its own of Debian's
# suites: the machine's stays as it is.
set -euo pipefail
link=$(realpath -m -s "${1:?where shall the link be}")
recipe=$(realpath "$0")

# An exact version, so that two runs compare with the same: that of forky and sid. When neither has it any more, name here what they
# have; `make test` tells then what is different.
version=1.0.20260223-2
suites=(forky sid)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass

say() { printf 'wireguard-tools: %s\n' "$*"; }
die() { printf 'wireguard-tools: error: %s\n' "$*" >&2; exit 1; }

home=$cache/wireguard-tools-$version-$(cksum <"$recipe" | cut -d' ' -f1)
if [ ! -d "$home" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" && !found { print $1; found = 1 }')
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    say "unpacking wireguard-tools $version in $home"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.wireguard-tools.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    cd "$draft"
    mkdir -p apt/state/partial apt/cache/archives/partial root bin
    for suite in "${suites[@]}"; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >apt/sources.list
    view=(-q -o "Dir::Etc::sourcelist=$draft/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$draft/apt/state" -o "Dir::Cache=$draft/apt/cache" -o APT::Sandbox::User=root
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    apt-get "${view[@]}" update >&2 || die "Debian's lists of ${suites[*]} cannot be had"
    there=$(apt-cache "${view[@]}" madison wireguard-tools | awk '{ print $3 }' | sort -u | paste -sd' ')
    [[ " $there " = *" $version "* ]] || die "Debian has wireguard-tools ${there:-nowhere}, not $version: see $recipe"
    [ "$(printf '%s\n' $there | sort -V | tail -n1)" = "$version" ] || say "there are newer ones: $there"
    apt-get "${view[@]}" download "wireguard-tools=$version" libc6 >&2 || die "wireguard-tools $version cannot be had"
    for file in *.deb; do dpkg-deb -x "$file" root; done
    # The program is started by the loader of its own C library, wherever that library keeps it.
    loader=$(find root -name 'ld-linux*.so.*' ! -type l | head -n1)
    [ -n "$loader" ] || die "there is no loader in libc6"
    cp root/usr/bin/wg-quick bin/
    # wg-quick looks for programs beside itself first: there is nothing but these two.
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$home/$loader" "$home/$(dirname "$loader")" "$home/root/usr/bin/wg" >bin/wg
    chmod 755 bin/wg bin/wg-quick "$draft"
    "$loader" --library-path "$(dirname "$loader")" root/usr/bin/wg --version >&2 || die "its wg does not run here"
    rm -r apt *.deb root/usr/share
    # Another clone may have been faster: then what it made is as good.
    mv -T "$draft" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
fi
mkdir -p "$(dirname "$link")"
ln -sfn "$home" "$link"
