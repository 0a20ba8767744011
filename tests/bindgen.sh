#!/bin/bash
# Holds the committed Kotlin and Swift of bindings/uniffi/generated against what the generator writes from the library.
#   tests/bindgen.sh            fails on a difference, and shows it
#   tests/bindgen.sh --write    writes them
#   tests/bindgen.sh --prepare  only builds the generator, where it is missing
# The generator takes minutes to build. It is kept in the user's cache by uniffi's version and its recipe, whole or not at all:
# a second clone finds it there.
. "$(dirname "$0")/afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass
committed=bindings/uniffi/generated

say() { printf 'bindgen: %s\n' "$*"; }
die() { printf 'bindgen: error: %s\n' "$*" >&2; exit 1; }

# The version of uniffi that the workspace is built with.
version() { awk '$1 == "name" {name = $3} $1 == "version" && name == "\"uniffi\"" {gsub(/"/, "", $3); print $3}' Cargo.lock; }

# Builds the generator into a folder of its own: its dependencies are of no use to any other build.
build_generator() {
    local home=$1 draft
    say "building the generator in $home, which takes some minutes"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.bindgen.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    cargo build --locked --quiet -p underpass-bindgen --features cli --target-dir "$draft/target" \
        --config 'profile.dev.package."*".opt-level=0' --config profile.dev.debug=false
    mkdir "$draft/home"
    install -m 755 "$draft/target/debug/underpass-bindgen" "$draft/home/"
    # Another clone may have been faster: then what it made is as good.
    mv -T "$draft/home" "$home" 2>/dev/null || [ -x "$home/underpass-bindgen" ] || die "cannot make $home"
    rm -rf "$draft"
    trap - EXIT
}

# Writes Kotlin and Swift into a folder.
generate() {
    local library=target/debug/libunderpass_uniffi.so language
    cargo build --locked --quiet -p underpass-uniffi
    [ -f "$library" ] || die "there is no $library"
    for language in kotlin swift; do
        "$generator" generate --no-format --config bindings/uniffi/bindgen.toml --language "$language" \
            --out-dir "$1/$language" "$library"
    done
}

version=$(version)
[ -n "$version" ] || die "Cargo.lock has no uniffi"
home=$cache/bindgen-$version-$(cat bindings/uniffi/bindgen/Cargo.toml bindings/uniffi/bindgen/src/main.rs | cksum | cut -d' ' -f1)
generator=$home/underpass-bindgen
[ -x "$generator" ] || build_generator "$home"
[ "${1:-}" != --prepare ] || exit 0

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
generate "$made"
case ${1:-} in
    --write)
        rm -rf "$committed"
        mkdir -p "$committed"
        cp -r "$made/." "$committed/"
        say "written to $committed"
        ;;
    '')
        diff -ru "$committed" "$made" || die "$committed is not what the library says: run tests/bindgen.sh --write"
        say "$committed is what the library says"
        ;;
    *) die "what is '$1'? one of --write, --prepare, or nothing" ;;
esac
