#!/bin/bash
# The C library without an operating system, on a Cortex-M4F that qemu emulates: the example bindings/c/examples/firmware, and
# what goes wrong on a device (tests/c/firmware).
#   tests/c/firmware.sh           everything
#   tests/c/firmware.sh sizes     flash, heap and stack of the example, one a line
# Rust's own library is built along (tests/rust_src.sh). The line `test result:` is what tests/run.sh counts.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'firmware: %s\n' "$*"; }
die() { printf 'firmware: error: %s\n' "$*" >&2; exit 1; }
. tests/rust_src.sh

triple=thumbv7em-none-eabihf
# Any binutils for ARM will do.
tools=arm-linux-gnueabihf-
example=$PWD/bindings/c/examples/firmware
out=$PWD/target/tools/firmware
export CARGO_TARGET_DIR=$out
mkdir -p "$out"
said=$out/said
. tests/c/checks.sh
for tool in clang "${tools}gcc" qemu-system-arm; do command -v "$tool" >/dev/null || die "there is no $tool: run tests/setup.sh"; done
with_rust_src

# library FEATURES: builds it.
library() { make -C bindings/c static NO_OS=1 TARGET=$triple CROSS_COMPILE=$tools BUILD_STD=1 FEATURES="$1"; }
plain=$out/c/$triple/router-portable-no-os-std/libunderpass.a
provoke=$out/c/$triple/router-portable-no-os-provoke-std/libunderpass.a

# The firmware defines four functions, those that the header declares, and the library wants no other. What else of it
# is to be seen are the functions of the header.
hooks() { sed -n '/^#if defined(UNDERPASS_NO_OS)/,/^#define/s/.*[ *]\(underpass_host_[a-z]*\)(.*;/\1/p' include/underpass.h | sort; }
wants_four() { [ "$(hooks | wc -l)" = 4 ] && diff <(hooks) <("${tools}nm" -u "$plain" | awk 'NF == 2 { print $2 }' | sort -u); }
# There are no sockets, and so no addresses of sockets.
shows_entries() { diff <(grep -v sockaddr include/underpass.symbols) <("${tools}nm" -g --defined-only "$plain" | awk 'NF == 3 { print $3 }' | sort); }
# What a CPU without 64-bit atomics, an unwinder or a heap of its own would lack is not even named.
names_nothing_foreign() { ! "${tools}nm" "$provoke" | grep -E '__atomic_|__sync_|_Unwind_|__aeabi_unwind|rust_eh_personality'; }

tells_programs() {
    make -C bindings/c install NO_OS=1 TARGET=$triple CROSS_COMPILE=$tools BUILD_STD=1 DESTDIR="$out/root" PREFIX=/usr &&
        PKG_CONFIG_PATH=$out/root/usr/lib/pkgconfig pkg-config --cflags underpass | tee /dev/stderr | grep -qw -- -DUNDERPASS_NO_OS &&
        grep -q -- '"-DUNDERPASS_NO_OS"' "$out/root/usr/lib/cmake/Underpass/UnderpassConfig.cmake"
}

# firmware PROGRAM ARGUMENTS-OF-MAKE...: builds the example, or another program on its board.
firmware() { make -C "$example" OUT="$out/$1.elf" "${@:2}"; }
by_gcc() { firmware gcc LIBRARY="$plain" CC="${tools}gcc -fno-pie -no-pie"; }

# emulated PROGRAM: runs it in the folder where it finds its case. Without `patience` the time is that of a machine which has hung.
emulated() {
    (cd "$out" && timeout "${patience:-300}" qemu-system-arm -M mps2-an386 -display none -monitor none -serial none -kernel "$1.elf" \
        -chardev stdio,id=out -semihosting-config enable=on,target=native,chardev=out)
}

# value WORDS: the number behind `WORDS: ` of what the example said.
value() { sed -n "s/^$1: \(at most \)\?\([0-9]*\).*/\2/p" "$out/example.said" | head -n 1; }
runs() { emulated "$1" | tee "$out/$1.said"; return "${PIPESTATUS[0]}"; }
# What the guide says of its memory: docs/c-guide.md, "Without an operating system".
keeps_its_bounds() {
    cat "$out/example.said"
    [ "$(value 'packets delivered')" = 377 ] && [ "$(value 'dropped or damaged')" = 0 ] && [ "$(value 'handshakes')" -ge 1 ] &&
        [ "$(value heap)" -le 10240 ] && [ "$(value 'one tunnel with one peer')" -le 2304 ] &&
        [ "$(value tunnels)" -le 9216 ] && [ "$(value handshake)" -le 9216 ] && [ "$(value packets)" -le 6144 ] &&
        [ "$(value alignment)" = 64 ] && [ "$(value 'heap after both are freed')" = 0 ]
}

# ends LETTER STATUS: the case ends so; what it says is left for others to look at.
ends() {
    local status=0
    printf '%s' "$1" >"$out/case"
    emulated cases >"$out/cases.said" 2>&1 || status=$?
    cat "$out/cases.said"
    [ "$status" = "$2" ]
}
goes_on() { ends "$1" 0 && grep -qx 'as expected' "$out/cases.said"; }
# panics LETTER MESSAGE: the firmware hears of it, at a place of the source code, and nothing comes after that.
panics() { ends "$1" 70 && grep -qE "^panic: $2 at bindings/c/src/provoke\.rs:[0-9]+$" "$out/cases.said" && [ "$(wc -l <"$out/cases.said")" = 1 ]; }
# A function for panics that returns does not lead back into the program. The emulator has to be stopped; on a slow machine it
# gets more time until it has come that far.
stays() {
    local patience
    for patience in 3 15 60 300; do
        ends l 124 || return
        [ "$(head -n 1 "$out/cases.said")" != 'heard and ignored' ] || { ! grep -q 'went on' "$out/cases.said"; return; }
    done
    return 1
}

sizes() {
    library '' >"$out/log" 2>&1 && firmware example LIBRARY="$plain" >>"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
    # What is missing without the library is left unresolved: that program is there for its size.
    firmware bare LIBRARY= LDFLAGS=-Wl,--unresolved-symbols=ignore-all >>"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
    local program
    for program in example bare; do
        printf '%s: %s bytes of flash\n' "$program" "$("${tools}size" -A "$out/$program.elf" | awk '$1 ~ /^\.(text|vectors|data)$/ { sum += $2 } END { print sum }')"
    done
    emulated example
}

if [ "${1:-}" = sizes ]; then sizes; exit; fi
check "the library, for $triple" library ''
check "it wants the four functions of the header, and nothing else" wants_four
check "it shows the functions of the header, and nothing else" shows_entries
check "pkg-config tells programs that there is no operating system" tells_programs
check "the example, by clang" firmware example LIBRARY="$plain"
check "the example, by gcc" by_gcc
check "the example runs" runs example
check "it keeps its bounds of heap and stack" keeps_its_bounds
check "the example that gcc made runs" runs gcc
check "the library with entries that fail" library provoke
check "it names neither atomics of 64 bits nor an unwinder" names_nothing_foreign
check "a firmware that provokes failures" firmware cases LIBRARY="$provoke" MAIN="$PWD/tests/c/firmware/cases.c" \
    LDFLAGS=-Wl,--wrap=underpass_host_panic
check "without randomness keys and tunnels are refused, handshakes wait, packets go on" goes_on r
check "without memory calls are refused, packets are dropped and counted, and all goes on" goes_on m
check "a flood of handshakes takes a table or does without" goes_on f
check "a call inside a call is refused" goes_on b
check "a panic outside a tunnel reaches the firmware" panics p 'provoked without a handle'
check "a panic inside a tunnel reaches the firmware" panics t 'provoked inside a tunnel'
check "a panic with a value in its text reaches the firmware without its text" panics v ''
check "a firmware that returns from a panic stays where it is" stays
conclude
