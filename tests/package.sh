#!/bin/bash
# The command as it is installed: by `make install`, and as a Debian package in a Debian trixie, where the package is made, looked
# at, installed, run and removed, and where systemd and man look at what it has for them.
#   tests/package.sh        needs target/release/underpass
# The last line counts the checks as cargo does.
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'package: %s\n' "$*"; }
die() { printf 'package: error: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

[ -x target/release/underpass ] || die "there is no target/release/underpass: run cargo build --release -p underpass-linux"
out=$PWD/target/tools/package
as_root rm -rf "$out" && mkdir -p "$out" "$out/layer" "$out/build/underpass/target/release"
said=$out/said
. tests/c/checks.sh

installed() {
    make install-files DESTDIR="$out/root" PREFIX=/usr &&
        (cd "$out/root" && find . -type f | sort) | grep -v '/underpass-[a-z]*\.8$' | diff - tests/package/files.txt &&
        "$out/root/usr/bin/underpass" --version
}
check "make install puts command, manual, completions and units" installed
pages() { local verb; for verb in up down show check; do [ -f "$out/root/usr/share/man/man8/underpass-$verb.8" ] || return; done; }
check "make install puts a page for each verb" pages
paths() { ! grep -r @BINDIR@ "$out/root" && grep -F 'ExecStart=/usr/bin/underpass up %i' "$out/root/usr/lib/systemd/system/underpass@.service"; }
check "the units name the command where it is" paths
uninstalled() { make uninstall-command DESTDIR="$out/root" PREFIX=/usr && ! find "$out/root" -type f | grep .; }
check "make uninstall takes all of it away" uninstalled

trixie=$(tests/trixie/make.sh command) || die "there is no Debian trixie"
cp -r Makefile LICENSE-MIT "$out/build/underpass/" && mkdir "$out/build/underpass/linux" && cp -r linux/packaging "$out/build/underpass/linux/" &&
    cp -rL tests/package/report.* target/tools/kernel-guest/modules "$(command -v busybox)" "$out/build/underpass/" &&
    cp target/release/underpass "$out/build/underpass/target/release/" || die "there is nothing to make a package of"
as_root unshare --mount --net --pid --fork --kill-child "$PWD/tests/trixie/inside.sh" "$trixie" "$out/layer" "$out/build" \
    "$PWD/tests/package/debian.sh" </dev/null >"$out/debian.log" 2>&1
# came_to STEP: it began that step; shows once why it did not.
was_shown=
came_to() {
    grep -qFx "step: $1" "$out/debian.log" && return
    [ -n "$was_shown" ] || tail -n 40 "$out/debian.log"
    was_shown=yes
    return 1
}
check "Debian: the package is made" came_to "lintian"
check "Debian: lintian finds neither errors nor warnings" came_to "man"
check "Debian: man shows every page without a warning" came_to "apt-get install"
check "Debian: the package is installed by apt" came_to "systemd-analyze verify"
check "Debian: systemd finds no fault in the units" came_to "up"
check "Debian: a tunnel comes up, is shown, and goes" came_to "the files of a machine"
check "Debian: its files are a machine" came_to "apt-get purge"
check "Debian: the package is removed, and nothing of it is left" came_to "done"

# The machine that these files are, with a kernel and systemd of its own. It says how far it came, by lines as above.
boot() {
    timeout 600 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -accel tcg -m 1024 -serial stdio \
        -kernel target/tools/kernel-guest/vmlinux -initrd "$out/build/files.cpio" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off clocksource=hpet no_timer_check systemd.show_status=no" \
        </dev/null >"$out/boot.log" 2>&1
    tr -d '\r' <"$out/boot.log" >"$out/debian.log"
    was_shown=
}
boot
check "systemd: the machine starts, and the tunnel with it" came_to "the tunnel is up"
check "systemd: the tunnel is the unit's main process, its commands have run, and systemd-resolved knows its name server" came_to "lock"
check "systemd: the machine was locked before there was a network" came_to "kill"
check "systemd: a tunnel that was killed comes back, and the lock stayed" came_to "stop"
check "systemd: a tunnel that is stopped leaves nothing behind" came_to "unlock"
check "systemd: a machine is locked without a tunnel, and unlocked" came_to "done"

# Another one, whose kernel was told to have no IPv6.
mkdir "$out/no-ipv6"
tests/package/no_ipv6.sh "$PWD/target/release/underpass" "$PWD/target/tools/kernel-guest" "$out/no-ipv6" >"$out/debian.log" 2>&1
was_shown=
check "no IPv6: the machine starts without it" came_to "there is no IPv6"
check "no IPv6: a tunnel comes up, carries, and nothing is left of it" came_to "with the kill switch"
check "no IPv6: so does one with the kill switch" came_to "locked and unlocked"
check "no IPv6: the machine is locked and unlocked" came_to "done"
conclude
