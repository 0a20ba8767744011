#!/bin/bash
# In a Debian trixie: makes source and binary packages of the tarball, as Debian does, and uses them. tests/c/packages.sh runs
# it as root:
#   unshare --mount --net --pid --fork --kill-child tests/c/packages/debian.sh TRIXIE BUILD LAYER VERSION
# TRIXIE is what tests/trixie/make.sh made. It stays as it is: what is installed goes to memory, by an overlay that is mounted in the
# folder LAYER. BUILD holds the tarball and the folder debian, and gets the packages. There is no network. All mounts end with the namespace.
set -euo pipefail

if [ "$1" != --inside ]; then
    trixie=$1 build=$2 layer=$3
    mount -t tmpfs tmpfs "$layer"
    mkdir "$layer"/{changed,work,root}
    mount -t overlay overlay -o "lowerdir=$trixie,upperdir=$layer/changed,workdir=$layer/work" "$layer/root"
    mkdir "$layer/root/build"
    mount --bind "$build" "$layer/root/build"
    mount -t proc proc "$layer/root/proc"
    mount -t tmpfs tmpfs "$layer/root/tmp"
    cp "$0" "$layer/root/tmp/debian.sh"
    exec chroot "$layer/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 bash /tmp/debian.sh --inside "$4"
fi

version=$2 name=underpass-$2
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
