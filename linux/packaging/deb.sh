#!/bin/bash
# Makes the Debian package of the command from target/release/underpass, which is built already:
#   linux/packaging/deb.sh INTO
# The packages' tools work in a tree of their own, which has nothing but what the package is made of.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
mkdir -p "$1"
into=$(realpath "$1")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/underpass/target/release" "$tree/underpass/linux"
cp -r linux/packaging "$tree/underpass/linux/"
cp -r linux/packaging/debian "$tree/underpass/debian"
cp Makefile LICENSE-MIT "$tree/underpass/"
cp target/release/underpass "$tree/underpass/target/release/"
# Rust is not asked for: nothing is compiled.
(cd "$tree/underpass" && BUILT=1 dpkg-buildpackage -b -d -us -uc)
cp "$tree"/*.deb "$into/"
