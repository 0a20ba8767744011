#!/bin/bash
# The first program of the machine that no_ipv6.sh starts: two tunnels, one to the other over the loopback, with and without the kill
# switch; nothing is left of them. It says how far it came, and ends the machine.
set -uo pipefail
export PATH=/bin
# On a line of its own, whatever the terminal was told before.
step() { printf '\nstep: %s\n' "$*"; }
state() { ip rule; ip route show table all; ip -br link; nft list tables; cat /etc/resolv.conf; }

prepare() {
    mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mount -t tmpfs -o mode=755 run /run || return
    local module keys switch
    for module in crc32c_generic tun nf_tables nft_ct nft_fib_inet; do modprobe "$module" || return; done
    ip link set lo up || return
    echo "nameserver 192.0.2.53" >/etc/resolv.conf
    mkdir -p /etc/wireguard && umask 077
    keys=("$(underpass genkey)" "$(underpass genkey)")
    file far 1 "Address = 10.9.0.2/24, fd09::2/64" "ListenPort = 7001" "AllowedIPs = 10.9.0.1/32, fd09::1/128"
    for switch in off on; do
        file "near-$switch" 0 "Address = 10.9.0.1/24, fd09::1/64" $'MTU = 1380\nDNS = 10.9.0.53\nKillSwitch = '"$switch" \
            $'AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:7001'
    done
}

# file NAME NUMBER LINE LINE PEER: the configuration of the one of two with this number.
file() {
    printf '[Interface]\nPrivateKey = %s\n%s\n%s\n[Peer]\nPublicKey = %s\n%s\n' \
        "${keys[$2]}" "$3" "$4" "$(underpass pubkey <<<"${keys[1 - $2]}")" "$5" >"/etc/wireguard/$1.conf"
}

carries() { local tries; for tries in {1..60}; do ping -c 1 -W 2 10.9.0.2 && return; done; return 1; }

# cycle NAME: up, carrying, down, as it was.
cycle() {
    underpass up far && underpass up --wait "$1" 2>/run/said || { cat /run/said; return 1; }
    cat /run/said
    grep -F 'IPv6 is off on this machine' /run/said && carries || return
    underpass down "$1" && underpass down far && state | diff /run/before - || return
}

story() {
    prepare && [ ! -e /proc/sys/net/ipv6 ] || return
    step "there is no IPv6"
    state >/run/before
    cycle near-off || return
    step "with the kill switch"
    cycle near-on || return
    step "locked and unlocked"
    underpass lock near-on && nft list table inet underpass >/dev/null && underpass unlock && state | diff /run/before - || return
    step "done"
}
story || echo "it failed"
poweroff -f
