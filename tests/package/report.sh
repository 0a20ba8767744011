#!/bin/bash
# In the machine that package.sh starts: looks what systemd makes of a tunnel, says how far that went, and ends the machine.
set -uo pipefail
# On a line of its own, whatever the terminal was told before.
step() { printf '\nstep: %s\n' "$*"; }
# eventually COMMAND...: until it succeeds.
eventually() { local tries; for tries in {1..120}; do "$@" >/dev/null 2>&1 && return; sleep 1; done; echo "never: $*"; return 1; }
property() { systemctl show -p "$1" --value underpass@wg0; }
runs() { [ "$(property ActiveState)" = active ] && [ -n "$(ip -o link show dev wg0)" ]; }
runs_anew() { runs && [ "$(property MainPID)" != "$1" ]; }
is_locked() { nft list chain inet underpass output | grep -F 'policy drop' && pgrep -f underpass-keeper; }
is_open() { ! nft list table inet underpass && ! pgrep -f underpass-keeper; }
# when UNIT PROPERTY
when() { systemctl show -p "$2" --value "$1"; }
is_down() { [ "$(property ActiveState)" = inactive ] && ! ip link show wg0; }

story() {
    eventually runs || return
    step "the tunnel is up"
    local main
    main=$(property MainPID)
    [ "$(tr '\0' ' ' <"/proc/$main/cmdline")" = "underpass -f -- wg0 " ] || return
    nft list tables | grep -F hooked && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || return
    resolvectl dns wg0 | grep -F 10.9.0.53 || return
    ls -ld /var/lib/underpass | grep '^drwx------' || return
    step "lock"
    # It was set before there was a network, and is the tunnel's since.
    [ "$(when underpass-lockdown ActiveState)" = active ] && is_locked || return
    local locked
    locked=$(when underpass-lockdown ActiveEnterTimestampMonotonic)
    [ "$locked" -gt 0 ] && [ "$locked" -le "$(when network-pre.target ActiveEnterTimestampMonotonic)" ] &&
        [ "$locked" -lt "$(when underpass@wg0 ExecMainStartTimestampMonotonic)" ] || return
    step "kill"
    kill -KILL "$main"
    eventually runs_anew "$main" && is_locked || return
    step "stop"
    systemctl stop underpass@wg0
    eventually is_down && is_open && ! pgrep underpass && ! ls /var/run/wireguard/* || return
    step "unlock"
    systemctl restart underpass-lockdown && is_locked && underpass unlock && is_open || return
    step "done"
}
story || { journalctl -b --no-pager -u underpass@wg0 | tail -n 30; systemctl status underpass@wg0 --no-pager; }
sync
systemctl poweroff --force --force
