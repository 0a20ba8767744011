#!/bin/bash
# In a Debian trixie: makes source and binary packages of the tarball, as Debian does, and uses them. tests/c/packages.sh has
# tests/trixie/inside.sh run it there, with the version. /build holds the tarball and the folder debian, and gets the packages.
set -euo pipefail

version=$1 name=underpass-$1
cd /build
# A step says its name before it begins: packages.sh sees by it how far this went.
step() { printf 'step: %s\n' "$*"; }

cp "$name.tar.xz" "underpass_$version.orig.tar.xz"
tar -xf "$name.tar.xz"
cp -r debian "$name/debian"
step "dpkg-buildpackage, Build-Depends looked at"
rustc --version
(cd "$name" && dpkg-buildpackage -us -uc)
step "lintian"
# The maintainer's address is none: the project has no host yet. The sources, nearly all of them crates, would take a minute.
lintian --allow-root --fail-on error --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog ./*.deb
step "apt-get install"
apt-get -q install -y "./libunderpass0_$version-1_$(dpkg --print-architecture).deb" "./libunderpass-dev_$version-1_$(dpkg --print-architecture).deb"
step "the installed examples"
cp -r /usr/share/doc/libunderpass-dev/examples /tmp/examples
cd /tmp/examples
cc -std=c99 -Wall -Wextra -pedantic -Werror loopback.c $(pkg-config --cflags --libs underpass) -o shared
readelf -d shared | grep -F '[libunderpass.so.0]'
cc -std=c99 -static loopback.c $(pkg-config --static --cflags --libs underpass) -o static
for program in shared static; do ./$program | grep -Fx 'left delivers a packet: hello yourself'; done
make keys
./keys | grep -E '^PublicKey = '
step "apt-get remove"
apt-get -q purge -y libunderpass-dev libunderpass0
! find /usr -name '*underpass*' | grep .
step "done"
