#!/bin/bash
# Runs a script in a Debian that make.sh made, as root:
#   unshare --mount --net --pid --fork --kill-child tests/trixie/inside.sh TRIXIE LAYER BUILD SCRIPT [ARGUMENTS...]
# The Debian stays as it is: what is changed goes to memory, by an overlay that is mounted in the folder LAYER. The folder BUILD
# is /build there. There is no network. All mounts end with the namespace.
set -euo pipefail
trixie=$1 layer=$2 build=$3 script=$4
shift 4
mount -t tmpfs tmpfs "$layer"
mkdir "$layer"/{changed,work,root}
mount -t overlay overlay -o "lowerdir=$trixie,upperdir=$layer/changed,workdir=$layer/work" "$layer/root"
mkdir "$layer/root/build"
mount --bind "$build" "$layer/root/build"
mount -t proc proc "$layer/root/proc"
mount -t tmpfs tmpfs "$layer/root/tmp"
cp "$script" "$layer/root/tmp/script.sh"
exec chroot "$layer/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 bash /tmp/script.sh "$@"
