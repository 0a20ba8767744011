#!/bin/bash
# Builds and tests the Swift package in a Debian trixie. tests/swift.sh runs it as root:
#   unshare --mount --net --pid --fork --kill-child tests/swift/inside.sh TRIXIE PROJECT BUILD UID:GID [ARGUMENT...]
# TRIXIE is what tests/trixie/make.sh made; it stays as it is, and so does PROJECT. BUILD gets what is built, and has the library in
# its folder native. There is no network but the loopback. All mounts end with the namespace.
set -euo pipefail

if [ "$1" != --inside ]; then
    trixie=$1 project=$2 build=$3 who=$4
    shift 4
    ip link set lo up
    mount --bind "$project" "$trixie/srv/project"
    mount -o remount,ro,bind "$trixie/srv/project"
    mount --bind "$build" "$trixie/srv/build"
    mount -t proc proc "$trixie/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$trixie/tmp"
    exec chroot "$trixie" setpriv --reuid="${who%:*}" --regid="${who#*:}" --clear-groups \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 bash /srv/project/tests/swift/inside.sh --inside "$@"
fi

shift
cd /srv/project/ios
# SwiftUI is not here: the sample's application is parsed only.
swiftc -frontend -parse Sample/App/*.swift
# As an application finds the headers: below a folder that the compiler is told of.
swiftc -typecheck -swift-version 6 -module-name UnderpassBindings -module-cache-path /tmp/modules \
    -I /srv/build/package/Headers /srv/build/package/Sources/UnderpassBindings/UnderpassBindings.swift
export LD_LIBRARY_PATH=/srv/build/native
# The tests take half a minute. One that hangs is ended, and the run fails.
timeout --signal=KILL 1200 swift test --disable-sandbox --scratch-path /srv/build/swift --cache-path /tmp/cache --config-path /tmp/config \
    --security-path /tmp/security -Xlinker -L/srv/build/native --disable-xctest --no-parallel "$@"
