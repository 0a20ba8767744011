#!/bin/bash
# In a Debian trixie: makes the package of the command and uses it. tests/package.sh has tests/trixie/inside.sh run it there;
# /build/underpass holds what it is made of.
set -euo pipefail
cd /build
# A step says its name before it begins: package.sh sees by it how far this went.
step() { printf 'step: %s\n' "$*"; }

step "dpkg-buildpackage"
underpass/linux/packaging/deb.sh /build
step "lintian"
# The maintainer's address is none, and no bug asks for the package: the project has no host yet.
lintian --allow-root --fail-on error,warning --suppress-tags \
    bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs ./*.deb
step "man"
dpkg-deb -x ./underpass_*.deb /tmp/package
pages=(/tmp/package/usr/share/man/man8/*.8.gz /tmp/package/usr/share/man/man5/*.5.gz)
[ ${#pages[@]} -ge 12 ]
for page in "${pages[@]}"; do
    MANWIDTH=80 man --warnings=w -E UTF-8 -l "$page" >/tmp/shown 2>/tmp/warnings
    grep -q '^SEE ALSO' /tmp/shown
    ! grep . /tmp/warnings
done
step "apt-get install"
apt-get -q install -y --no-install-recommends ./underpass_*.deb
step "systemd-analyze verify"
cd /usr/lib/systemd/system
systemd-analyze verify --man=no ./underpass@wg0.service ./underpass-lockdown.service ./underpass.target >/tmp/found 2>&1 || { cat /tmp/found; exit 1; }
# What it finds wrong with a line is no failure of the tool.
! grep -E 'underpass' /tmp/found
cd /
step "up"
mkdir -p /dev/net /etc/wireguard
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
key=$(underpass genkey)
printf '[Interface]\nPrivateKey = %s\nAddress = 10.9.0.1/24\nDNS = 10.9.0.53\nPostUp = /usr/local/sbin/hook\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.9.0.0/24\n' \
    "$key" "$(underpass genkey | underpass pubkey)" >/etc/wireguard/wg0.conf
chmod 600 /etc/wireguard/wg0.conf
# What a configuration's commands do mostly.
printf '#!/bin/sh -e\ntouch /tmp/hooked\nsysctl -q -w net.ipv4.ip_forward=1\nnft add table ip hooked\n' >/usr/local/sbin/hook
chmod 755 /usr/local/sbin/hook
underpass up wg0
[ -e /tmp/hooked ]
grep -qFx 'nameserver 10.9.0.53' /etc/resolv.conf
underpass show wg0
ip -4 address show dev wg0 | grep -F 10.9.0.1/24
underpass down wg0
! ip link show wg0
[ "$(readlink /etc/resolv.conf)" = ../run/systemd/resolve/stub-resolv.conf ]
step "the files of a machine"
# boot.sh starts it. What nobody reads there takes time to unpack.
systemctl enable systemd-resolved underpass@wg0 underpass-lockdown
printf 'LockAtBoot = wg0\n' >/etc/underpass.conf
cp /build/underpass/report.service /etc/systemd/system/ && cp /build/underpass/report.sh /usr/local/sbin/ && systemctl enable report
cp -a /build/underpass/modules/lib/modules /usr/lib/
ln -sf /usr/lib/systemd/systemd /init
unread=(./build ./proc ./tmp './var/*' './usr/share/[!dz]*' './usr/share/doc*' './usr/*gcc' ./usr/include './usr/bin/*-linux-gnu*' './usr/*/perl*'
    './usr/lib/*san.*' './usr/*.a' ./usr/lib/file './usr/lib/*/gconv')
leave_out=(-path ./none)
for path in "${unread[@]}"; do leave_out+=(-o -path "$path"); done
(cd / && find . -xdev \( "${leave_out[@]}" \) -prune -o -print0 |
    /build/underpass/busybox cpio -0 -o -H newc >/build/files.cpio)
systemctl disable report underpass@wg0 underpass-lockdown
rm -r /usr/lib/modules /init /etc/systemd/system/report.service /etc/underpass.conf
step "apt-get purge"
apt-get -q purge -y underpass
[ -e /etc/wireguard/wg0.conf ]
! find /usr /var/lib /etc -name '*underpass*' -not -path '/var/lib/apt/*' | grep .
step "done"
