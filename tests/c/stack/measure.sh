#!/bin/bash
# Sourced by tests/c/stack.sh and tests/c/cross.sh: how deep each function of a library goes into the stack. The caller stands
# in the project's folder.

# What the header says that no call exceeds; it says that a quarter of it is left.
stack_limit() { grep -oE 'No call needs more than [0-9]+ bytes' include/underpass.h | grep -oE '[0-9]+'; }

# stack_build COMPILER LIBRARY INTO: links the tests with a library, each call through a wrapper; the program is INTO/depth.
stack_build() {
    local sources
    mkdir -p "$3" && mapfile -t sources < <(ls tests/c/*.c | grep -vE '/(planted|poison|statuses)\.c$') || return
    "$1" -E -P -DUNDERPASS_API= -DUNDERPASS_CHECKED= include/underpass.h |
        awk -v flags="$3/flags" -f tests/c/stack/wraps.awk >"$3/wraps.c" || return
    # What the loader would bind at the first call of a function is bound at the start: its stack is not the library's.
    "$1" -std=c99 -D_POSIX_C_SOURCE=200809L -g -O1 -Wall -Wextra -pedantic -Werror -Iinclude -Itests/c/stack "${sources[@]}" \
        tests/c/stack/depth.c "$3/wraps.c" "$2" -lpthread -ldl -lm -Wl,-z,now "@$3/flags" -o "$3/depth"
}

# stack_within LOG: every function of the library was measured, and each leaves a quarter of what the header says.
stack_within() {
    local limit
    limit=$(stack_limit) && [ -n "$limit" ] || { echo "the header names no limit"; return 1; }
    grep -q '^test result: ok' "$1" || return
    [ "$(awk '$1 == "stack" && $3 > 0 { print $2 }' "$1" | LC_ALL=C sort)" = "$(LC_ALL=C sort include/underpass.symbols)" ] ||
        { echo "not every function was called"; return 1; }
    awk -v limit=$((limit / 4 * 3)) '$1 == "stack" && $3 >= limit { print $2 " needs " $3 " bytes of stack"; bad = 1 } END { exit bad }' "$1"
}

# stack_deepest LOG: the functions that need most, in one line.
stack_deepest() { awk '$1 == "stack" { print $3, $2 }' "$1" | sort -rn | awk 'NR <= 4 { printf "%s%s %s", (NR > 1 ? ", " : ""), $2, $1 }'; }
