#!/bin/bash
# Installs what building, the demo and the tests need, by ordinary Debian package names, only where it is absent.
#   tests/setup.sh build    a C compiler (the fast crypto backend)
#   tests/setup.sh demo     and what the demo drives as root: iproute2, nftables, ping, wg
#   tests/setup.sh test     and the peers and tools of the interop tests (among them an emulated machine with a kernel that
#                           has WireGuard, which is kept in the user's cache), compilers for the CPUs of the cross tests, Java
#                           and Maven, npm and the tools for resources of Android, and the generator of Kotlin and Swift, a
#                           Debian with Swift and what stands in for Android's NDK, which are kept in the user's cache too
# Says what it does; ends with an error when something is missing and cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-test}
tools=target/tools
# The newest wireguard-go: an exact version, so that two runs test against the same peer.
wireguard_go=golang.zx2c4.com/wireguard@v0.0.0-20260522210424-ecfc5a8d5446
wireguard_go_needs=1.23.1
debian_go=1.23
# The C compiler of the tests for MIPS with musl: from PyPI.
zig=0.15.2

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "need root for: $*  (not root, and there is no sudo)"
    fi
}

# apt-get, patient with another apt that holds the lock.
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# Whether a command is there, also in the folders that only root has on PATH; or a file, named by its whole path.
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || [[ $1 = /* && -e $1 ]]; }

# need COMMAND PACKAGE ...: installs the packages whose command (or file) is missing, in one go.
need() {
    local missing=()
    while [ $# -gt 0 ]; do
        have "$1" || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || die "missing ${missing[*]}, and this is no Debian: install them by hand"
    say "installing ${missing[*]}"
    apt update
    apt install -y --no-install-recommends "${missing[@]}"
}

# need_rust: cargo, and rustfmt and clippy where tests run.
need_rust() {
    have cargo || die "there is no cargo: install Rust first"
    [ "$level" = test ] || return 0
    local part
    for part in fmt:rustfmt clippy:clippy; do
        cargo "${part%%:*}" --version >/dev/null 2>&1 && continue
        have rustup || die "cargo ${part%%:*} is missing, and there is no rustup to add it"
        say "adding ${part##*:} to the Rust toolchain"
        rustup component add "${part##*:}"
    done
}

# at_least HAVE WANTED: whether version HAVE is WANTED or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# Prints the path of a Go that can build wireguard-go.
find_go() {
    local go
    for go in go "/usr/lib/go-$debian_go/bin/go"; do
        go=$(command -v "$go") || continue
        at_least "$("$go" env GOVERSION | sed 's/^go//')" "$wireguard_go_needs" || continue
        echo "$go"
        return
    done
}

# Installs Go from the backports of the running release, through a source list of its own: the machine's stays as it is.
install_go() {
    local lists=$PWD/$tools/apt
    local mirror suite
    mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")-backports
    mkdir -p "$lists/state/partial" "$lists/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?no Debian mirror is configured} $suite main" \
        > "$lists/sources.list"
    local view=(-o "Dir::Etc::sourcelist=$lists/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$lists/state" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
    say "installing golang-$debian_go-go from $suite"
    apt "${view[@]}" update
    apt "${view[@]}" install -y --no-install-recommends "golang-$debian_go-go"
}

# Builds the newest wireguard-go into target/tools; the version is remembered beside it.
need_wireguard_go() {
    local stamp=$tools/wireguard-go-newest.version
    [ -x "$tools/wireguard-go-newest" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wireguard_go" ] && return
    local go
    go=$(find_go)
    if [ -z "$go" ]; then
        install_go
        go=$(find_go)
        [ -n "$go" ] || die "no Go of version $wireguard_go_needs or newer after installing golang-$debian_go-go"
    fi
    say "building $wireguard_go with $("$go" version | cut -d' ' -f3)"
    mkdir -p "$tools"
    GOBIN=$PWD/$tools/gobin "$go" install "$wireguard_go"
    mv "$tools/gobin/wireguard" "$tools/wireguard-go-newest"
    echo "$wireguard_go" > "$stamp"
}

# The programs of PostgreSQL. Debian's package would make a database and start its server on this machine: it is told not to.
need_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return
    local settings=/etc/postgresql-common/createcluster.d
    if [ ! -e /etc/postgresql-common ]; then
        as_root mkdir -p "$settings"
        echo 'create_main_cluster = false' | as_root tee "$settings/underpass-tests.conf" >/dev/null
    fi
    need /usr/lib/postgresql/postgres postgresql
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || die "no PostgreSQL after installing it"
}

# Rust's library for musl, where rustup has it; tests/c/musl.sh builds it along where there is none.
try_rust_musl() {
    local target=x86_64-unknown-linux-musl
    [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || return 0
    have rustup && rustup target add "$target" || say "Rust has no library for $target here: its test builds one"
}

# zig into target/tools/zig.
need_zig() {
    [ "$("$tools/zig/ziglang/zig" version 2>/dev/null)" = "$zig" ] && return
    say "installing ziglang $zig from PyPI"
    rm -rf "$tools/zig"
    pip3 install -q --disable-pip-version-check --no-deps --target "$tools/zig" "ziglang==$zig"
    chmod +x "$tools/zig/ziglang/zig"
}

case $level in build | demo | test) ;; *) die "what is '$level'? one of build, demo, test" ;; esac

need cc gcc
need_rust
if [ "$level" != build ]; then
    need ip iproute2 nft nftables ping iputils-ping wg wireguard-tools
fi
if [ "$level" = test ]; then
    need iptables iptables wireguard-go wireguard-go tshark tshark curl curl tayga tayga setpriv util-linux sysctl procps
    need coap-client-notls libcoap3-bin
    need valgrind valgrind cmake cmake pkg-config pkgconf c++ g++ clang clang objdump binutils mount mount
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu /usr/aarch64-linux-gnu/lib/libc.so libc6-dev-arm64-cross \
        arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf /usr/arm-linux-gnueabihf/lib/libc.so libc6-dev-armhf-cross \
        mips-linux-gnu-gcc gcc-mips-linux-gnu /usr/mips-linux-gnu/lib/libc.so libc6-dev-mips-cross \
        s390x-linux-gnu-gcc gcc-s390x-linux-gnu /usr/s390x-linux-gnu/lib/libc.so libc6-dev-s390x-cross \
        qemu-s390x-static qemu-user-static
    need qemu-system-arm qemu-system-arm
    need qemu-system-x86_64 qemu-system-x86 busybox busybox-static cpio cpio depmod kmod xz xz-utils
    need musl-gcc musl-tools python3 python3 pip3 python3-pip debootstrap debootstrap
    need java default-jdk-headless mvn maven npm npm aapt2 aapt
    need /usr/share/android-framework-res/framework-res.apk android-framework-res
    need llvm-objcopy llvm unzip unzip openssl openssl
    need_postgres
    need aapt aapt zipalign zipalign apksigner apksigner dexdump dexdump
    tests/bindgen.sh --prepare
    tests/swift.sh --prepare
    try_rust_musl
    need_zig
    tests/native/toolchain.sh >/dev/null
    need_wireguard_go
    tests/interop/guest/build.sh "$tools/kernel-guest"
    tests/resolvers.sh "$tools/resolvers"
    tests/wireguard_tools.sh "$tools/wireguard-tools"
    [ -c /dev/net/tun ] || die "there is no /dev/net/tun: the kernel lacks TUN, or this is a container without it"
fi
say "everything for '$level' is there"
