#!/bin/bash
# Sourced by tests/c/budget.sh and tests/c/cross.sh: what a tunnel holds in memory, beside what docs/c-guide.md says. The caller
# stands in the project's folder.

# budget_build COMPILER LIBRARY INTO: links the program statically; it is INTO/budget. Its options are those of the guide.
budget_build() {
    local wraps=() name
    mkdir -p "$3" || return
    awk '/^## / { here = /^## Memory/ } here && /^    options\.[a-z_]* = / { print }' docs/c-guide.md >"$3/options.inc"
    [ "$(wc -l <"$3/options.inc")" -ge 4 ] || { echo "the guide has no options"; return 1; }
    for name in malloc calloc realloc free posix_memalign aligned_alloc memalign; do wraps+=("-Wl,--wrap=$name"); done
    "$1" -std=c99 -D_POSIX_C_SOURCE=200809L -Os -Wall -Wextra -pedantic -Werror -Iinclude -I"$3" tests/c/budget/*.c "$2" -static \
        -Wl,--gc-sections "${wraps[@]}" -lpthread -ldl -lm -o "$3/budget"
}

# budget_table: the table of the guide: what, and the figures for the profiles router and release, parted by tabs.
budget_table() {
    awk -F ' *[|] *' -v OFS='\t' '/^## / { here = /^## Memory/ } here && /^[|]/ && $3 ~ /^[0-9]/ { print $2, $3, $4 }' docs/c-guide.md
}

# budget_within LOG COLUMN HOW: each figure of the log is at most that of the guide. HOW is `close`, where that may not be far
# above it (5 %; a third for resident memory, which the kernel gives in pages and pieces), or `below`, where other CPUs
# have shorter pointers, and resident memory is the emulator's.
budget_within() {
    budget_table | awk -F '\t' -v column="$2" -v how="$3" '
        NR == FNR { stated[$1] = $column; next }
        !($1 in stated) { print "the guide has no row: " $1; bad = 1; next }
        {
            seen[$1] = 1
            resident = $1 ~ /^resident/
            if (how == "below" && (resident || $1 == "threads")) next
            if ($2 > stated[$1]) { print $1 ": " $2 ", and the guide says " stated[$1]; bad = 1 }
            if (how == "close" && $2 * (resident ? 4 / 3 : 1.05) < stated[$1]) { print $1 ": only " $2 ", and the guide says " stated[$1]; bad = 1 }
        }
        END {
            for (row in stated) { rows++; if (!(row in seen)) { print "nothing measures: " row; bad = 1 } }
            exit bad || rows < 10
        }' - "$1"
}
