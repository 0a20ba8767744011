#!/bin/bash
# Starts a machine whose kernel was told to have no IPv6, with nothing on it but this machine's programs, and has it bring tunnels up.
#   tests/package/no_ipv6.sh UNDERPASS GUEST WORK
# UNDERPASS is the command, GUEST the folder with kernel and modules that tests/interop/guest/build.sh makes, WORK an empty folder.
# What the machine says goes to standard output; `step: done` is the last of it when all went well.
set -euo pipefail
command=$1 guest=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)

# Copies a program and the libraries it needs to where the machine has them.
add_program() {
    local library
    cp -L "$1" "$work/root/bin/$2"
    # ldd fails, and prints nothing of interest, where a program needs none.
    { ldd "$1" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
        install -D -m 755 "$(readlink -f "$library")" "$work/root$library"
    done
}

mkdir -p "$work/root"/{bin,dev,etc,lib,proc,run,sys,tmp,var}
ln -s /run "$work/root/var/run"
for program in bash ip nft ping busybox; do add_program "$(command -v "$program")" "$program"; done
add_program "$command" underpass
for program in $(busybox --list); do [ -e "$work/root/bin/$program" ] || ln -s busybox "$work/root/bin/$program"; done
cp -rL "$guest/modules/lib/modules" "$work/root/lib/"
install -m 755 "$here/no_ipv6_init.sh" "$work/root/init"
(cd "$work/root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$work/initrd"
timeout 300 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -accel tcg -m 512 -serial stdio \
    -kernel "$guest/vmlinux" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off clocksource=hpet no_timer_check ipv6.disable=1" </dev/null | tr -d '\r'
