#!/bin/bash
# Makes the guest in which the interop tests find the WireGuard of the Linux kernel: Debian's own kernel, and an initial
# file system with its modules, busybox, ip and wg. Beside them, in the folder modules, is what a machine that runs our own
# tunnels needs of the kernel: tests/package/boot.sh starts one.
#   tests/interop/guest/build.sh LINK    and has LINK lead to it
# It is kept in the user's cache by the version of the kernel's package and the recipe, whole or not at all: a second
# clone finds it there. Needs what tests/setup.sh installs, and Debian on x86-64.
set -euo pipefail
link=$(realpath -m -s "${1:?where shall the link be}")
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/underpass
meta=linux-image-amd64
# Beside the WireGuard of the kernel: network cards and the ports by which the tests speak to the guest.
modules=(wireguard virtio_pci virtio_net virtio_console)
# What tunnels of our own and the firewall need.
host_modules=(tun nf_tables nft_ct nft_fib_inet nft_reject_inet nft_socket nft_chain_nat nft_masq)
export PATH=$PATH:/usr/sbin:/sbin

say() { printf 'guest: %s\n' "$*"; }
die() { printf 'guest: error: %s\n' "$*" >&2; exit 1; }

# Refreshes apt's lists, as root.
refresh() {
    if [ "$(id -u)" = 0 ]; then apt-get -q -o DPkg::Lock::Timeout=300 update
    else sudo apt-get -q -o DPkg::Lock::Timeout=300 update
    fi
}

# Prints the package that the meta package stands for, and its version: `linux-image-6.1.0-57-amd64 6.1.192-3`.
newest_kernel() {
    local package version
    package=$(apt-cache depends "$meta" 2>/dev/null | awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
    version=$(apt-cache show --no-all-versions "${package:-none}" 2>/dev/null | awk '/^Version:/ {print $2; exit}')
    [ -n "$version" ] && echo "$package $version"
}

# Unpacks the kernel's package into ./unpacked. Lists that are older than the archive name what is no longer there.
download() {
    local wanted=$1=$2
    apt-get -q -o APT::Sandbox::User=root download "$wanted" || { refresh && apt-get -q download "$wanted"; }
    dpkg-deb -x ./"$1"_*.deb unpacked
    rm ./"$1"_*.deb
}

# A number of four bytes, least significant first, that stands at an offset of a file.
number_at() { od -A n -t u4 -j "$2" -N 4 "$1" | tr -d ' '; }

# Writes the kernel without its wrapping, which an emulated processor would take seconds to unpack at every start. The
# header says where the packed part lies (Linux, Documentation/x86/boot.rst); its last four bytes are its size.
unwrap_kernel() {
    local image=$1 sectors begin length
    sectors=$(od -A n -t u1 -j $((0x1f1)) -N 1 "$image" | tr -d ' ')
    begin=$(((sectors + 1) * 512 + $(number_at "$image" $((0x248)))))
    length=$(number_at "$image" $((0x24c)))
    tail -c +$((begin + 1)) "$image" | head -c $((length - 4)) > packed || true
    case $(od -A n -t x1 -N 4 packed | tr -d ' ') in
        fd377a58) xz -dc < packed > vmlinux ;;
        *)
            say "this kernel is not packed by xz: the guest will unpack it at every start"
            cp "$image" vmlinux
            ;;
    esac
    rm packed
}

# Copies a program and the libraries it needs into ./root.
add_program() {
    local path library
    path=$(command -v "$1") || die "there is no $1: run \`make setup\`"
    cp -L "$path" "root/bin/$1"
    # ldd fails, and prints nothing of interest, where a program needs none.
    { ldd "$path" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
        mkdir -p "root$(dirname "$library")"
        cp -L "$library" "root$library"
    done
}

# Copies the modules and those they need into ./root, numbered in the order in which they are loaded.
add_modules() {
    local version number=100 module path
    version=$(ls unpacked/lib/modules)
    depmod -b unpacked "$version"
    for module in "${modules[@]}"; do
        modprobe -d unpacked -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r path; do
        cp "$path" "root/modules/$number-$(basename "$path")"
        number=$((number + 1))
    done
}

# Copies modules and those they need, with the lists by which they are found, into ./modules.
keep_modules() {
    local version path
    version=$(ls unpacked/lib/modules)
    for module in "${host_modules[@]}"; do
        modprobe -d unpacked -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r path; do
        install -D -m 644 "$path" "modules/lib/modules/${path#*/lib/modules/}"
    done
    cp "unpacked/lib/modules/$version/modules."{builtin,builtin.modinfo,order} "modules/lib/modules/$version/"
    depmod -b modules "$version"
}

# Everything, in the current folder.
build() {
    download "$1" "$2"
    unwrap_kernel unpacked/boot/vmlinuz-*
    mkdir -p root/{bin,dev,proc,run,sys,tmp,modules}
    add_modules
    keep_modules
    local program
    for program in busybox ip wg; do add_program "$program"; done
    for program in $(busybox --list); do
        [ -e "root/bin/$program" ] || ln -s busybox "root/bin/$program"
    done
    install -m 755 "$recipe/init" root/init
    (cd root && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) > initrd
    rm -r unpacked root
}

[ "$(uname -m)" = x86_64 ] || die "the guest is made of this machine's programs and runs on x86-64 only"
kernel=$(newest_kernel || { refresh >&2 && newest_kernel; }) || die "no package $meta: this is no Debian on x86-64"
read -r package version <<< "$kernel"
recipe=$PWD
home=$cache/kernel-guest-$version-$(cat build.sh init | cksum | cut -d' ' -f1)
if [ ! -d "$home" ]; then
    say "making the guest from $package $version in $home"
    mkdir -p "$cache"
    draft=$(mktemp -d "$cache/.kernel-guest.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    (cd "$draft" && build "$package" "$version")
    chmod 755 "$draft"
    # Another clone may have been faster: then what it made is as good.
    mv -T "$draft" "$home" 2>/dev/null || [ -d "$home" ] || die "cannot make $home"
fi
mkdir -p "$(dirname "$link")"
ln -sfn "$home" "$link"
