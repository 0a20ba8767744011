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
    step "kill"
    kill -KILL "$main"
    eventually runs_anew "$main" || return
    step "stop"
    systemctl stop underpass@wg0
    eventually is_down && ! pgrep underpass && ! ls /var/run/wireguard/* || return
    step "done"
}
story || { journalctl -b --no-pager -u underpass@wg0 | tail -n 30; systemctl status underpass@wg0 --no-pager; }
sync
systemctl poweroff --force --force
