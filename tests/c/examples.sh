#!/bin/bash
# Builds the examples of bindings/c in every way they can be built against an installed library, runs them, and follows
# docs/c-guide.md to its end: two routers in two namespaces that ping each other, by the commands as they stand there.
#   tests/c/examples.sh
# Each check says what it is; the last line counts them as cargo does. The guide's last section runs as root, in namespaces
# of mounts, processes and network that are gone when it ends.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'examples: %s\n' "$*"; }
die() { printf 'examples: error: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

scratch=$(mktemp -d) || die "no scratch folder"
trap 'as_root rm -rf "$scratch"' EXIT
said=$scratch/said
. tests/c/checks.sh

# blocks LANGUAGE PATTERN: the blocks of a language in the guide, from the first line of that pattern on.
blocks() {
    awk -v language="$1" -v pattern="$2" '
        $0 ~ pattern { begun = 1 }
        /^```/ { inside = begun && $0 == "```" language; next }
        inside' docs/c-guide.md
}

prefix=$scratch/root
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
say "building the library"
make -C bindings/c install PREFIX="$prefix" >"$said" 2>&1 || { cat "$said"; die "the library does not build"; }

# work OUT: the programs that need no interface do what they say.
work() {
    "$1/loopback" | grep -Fx 'left delivers a packet: hello yourself' &&
        "$1/loopback++" | grep -Fx 'left delivers a packet: hello yourself' &&
        [ "$("$1/keys" | grep -cE '^(PrivateKey|PublicKey) = [A-Za-z0-9+/]{43}=$')" = 2 ] &&
        [ "$("$1/router" 2>&1)" = "usage: router [-s STATE] IFACE CONFIG" ] &&
        [ "$("$1/gateway" 2>&1)" = "usage: gateway [-w WORKERS] IFACE CONFIG" ]
}
# by_make NAME ARGUMENTS...: from a copy, so that the tree stays clean.
by_make() {
    local out=$scratch/$1
    shift
    cp -r bindings/c/examples "$out" && make -C "$out" clean all "$@" && work "$out"
}
by_cmake() {
    cmake -S bindings/c/examples -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$scratch/cmake" && work "$scratch/cmake"
}
check "the Makefile" by_make shared
check "the Makefile, statically" by_make static STATIC=1
check "the Makefile, with clang" by_make clang CC=clang CXX=clang++
check "CMake" by_cmake

guide_compiles() {
    {
        printf '#include <stdbool.h>\n#include <underpass.h>\n'
        printf 'void send_datagram(underpass_peer_id, const underpass_path *, uint8_t, const uint8_t *, size_t);\n'
        printf 'void report(const char *);\n'
        printf 'void write_packet(const uint8_t *, size_t);\nvoid act_on(const underpass_event *);\n'
        printf 'void use(underpass_tunnel *, underpass_slot *, uint8_t *);\n'
        blocks c '^## The loop' | sed '/^    options\./d'
        printf 'void use(underpass_tunnel *tunnel, underpass_slot *slots, uint8_t *buf)\n{\n    underpass_options options;\n'
        printf '    interface_gave(tunnel, 0, slots, 1);\n    network_gave(tunnel, 0, slots, 1);\n    drain(tunnel, 0, buf, 0);\n'
        printf '    underpass_options_init(&options, sizeof options);\n'
        blocks c '^## Memory' | grep '^    options\.'
        printf '}\n'
    } >"$scratch/guide.c"
    grep -q 'underpass_tunnel_poll_event' "$scratch/guide.c" && grep -q 'options.max_peers' "$scratch/guide.c" &&
        cc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$prefix/include" "$scratch/guide.c"
}
check "the code in the guide compiles" guide_compiles

# The commands are those of the guide. The library is installed already, so a Makefile that does nothing stands where
# its own would, and the loader is told by LD_LIBRARY_PATH what `ldconfig` would tell it. Who types waits and looks; so where
# the guide sleeps, the routers come up first, and what it asks of one is answered before it goes on.
guide_works() {
    local tree=$scratch/tree
    mkdir -p "$tree/bindings/c" && cp -r bindings/c/examples "$tree/bindings/c/examples" || return
    printf 'install:\n' >"$tree/bindings/c/Makefile"
    {
        printf 'set -e\nmount -t tmpfs tmpfs /run\nmount -t proc proc /proc\nldconfig() { :; }\n'
        cat <<EOF
sleep() { for side in left right; do until ip -n \$side route show dev tunnel 2>&1 | grep -q '^10'; do command sleep 0.1; done; done; }
kill() { builtin kill "\$@"; [ "\$1" != -USR1 ] || until grep -qF ' handshakes, ' "$scratch/walk.log"; do command sleep 0.1; done; }
EOF
        printf 'export PKG_CONFIG_PATH=%q LD_LIBRARY_PATH=%q\ncd %q\n' "$PKG_CONFIG_PATH" "$LD_LIBRARY_PATH" "$tree"
        blocks sh '^## From nothing'
        printf 'echo the end\n'
    } >"$scratch/walk.sh"
    as_root timeout 300 unshare --mount --net --pid --fork --kill-child bash "$scratch/walk.sh" 2>&1 | tee "$scratch/walk.log"
    grep -F ' 0% packet loss' "$scratch/walk.log" && grep -E ': [1-9] handshakes, ' "$scratch/walk.log" &&
        [ "$(tail -n 1 "$scratch/walk.log")" = "the end" ]
}
check "the guide's commands lead to two routers that ping each other" guide_works

# Two routers reach each other through the gateway, over IPv4 and IPv6 outside; ten megabytes, so that all of its threads
# have their share. Then it says what it carried.
gateway_joins() {
    local examples=$scratch/shared
    cat >"$scratch/join.sh" <<EOF
set -e
mount -t tmpfs tmpfs /run
cd "$scratch"
for name in gw a b; do "$examples/keys" > \$name.keys; ip netns add \$name; ip -n \$name link set lo up; done
key() { sed -n "s/^\$2 = //p" \$1.keys; }
ip link add wire-a netns gw type veth peer name out netns a
ip link add wire-b netns gw type veth peer name out netns b
ip -n gw address add 192.0.2.1/24 dev wire-a; ip -n a address add 192.0.2.2/24 dev out
ip -n gw address add 2001:db8::1/64 dev wire-b nodad; ip -n b address add 2001:db8::2/64 dev out nodad
for link in a b; do ip -n gw link set wire-\$link up; ip -n \$link link set out up; done
ip netns exec gw sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
{
    printf '[Interface]\nPrivateKey = %s\nAddress = 10.0.0.1/24\nListenPort = 51820\n' "\$(key gw PrivateKey)"
    printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.0.2/32\n' "\$(key a PublicKey)"
    printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.0.3/32\n' "\$(key b PublicKey)"
} > gw.conf
side() {
    printf '[Interface]\nPrivateKey = %s\nAddress = %s/32\n' "\$(key \$1 PrivateKey)" "\$2"
    printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.0.0/24\nEndpoint = %s\nPersistentKeepalive = 25\n' "\$(key gw PublicKey)" "\$3"
}
side a 10.0.0.2 192.0.2.1:51820 > a.conf
side b 10.0.0.3 '[2001:db8::1]:51820' > b.conf
ip netns exec gw "$examples/gateway" -w 2 tunnel gw.conf > gw.json & gateway=\$!
for name in a b; do
    ip netns exec \$name "$examples/router" tunnel \$name.conf &
    until ip netns exec \$name ping -c 1 -W 2 10.0.0.1 > /dev/null 2>&1; do sleep 0.1; done
done
ip netns exec a ping -c 1 -W 30 10.0.0.3
head -c 10000000 /dev/urandom > sent
ip netns exec b python3 - <<'PYTHON' > received &
import socket, sys
with socket.create_server(("10.0.0.3", 5000)) as server:
    peer = server.accept()[0]
    while data := peer.recv(65536): sys.stdout.buffer.write(data)
PYTHON
receiver=\$!
ip netns exec a python3 - <<'PYTHON'
import socket, time
for attempt in range(300):
    try: peer = socket.create_connection(("10.0.0.3", 5000)); break
    except OSError: time.sleep(0.1)
peer.sendall(open("sent", "rb").read()); peer.close()
PYTHON
wait \$receiver
cmp sent received
kill -USR1 \$gateway
until [ -s gw.json ]; do sleep 0.1; done
python3 - <<'PYTHON'
import json
told = json.load(open("gw.json"))
first, second = told["peers"]
assert (first["number"], second["number"], first["health"], second["health"]) == (1, 2, "up", "up"), told
assert first["rx_bytes"] > 10000000 and second["tx_bytes"] > 10000000, told
PYTHON
kill \$gateway
wait \$gateway
echo the end
EOF
    as_root timeout 300 unshare --mount --net --pid --fork --kill-child --mount-proc bash "$scratch/join.sh" 2>&1 | tee "$scratch/join.log"
    [ "$(tail -n 1 "$scratch/join.log")" = "the end" ]
}
check "two routers reach each other through the gateway" gateway_joins

conclude
