#!/bin/bash
# Sourced by scripts that run Maven: what its tests came to, read from their reports, since Maven is quiet about what is well.

# reported WORD REPORT...: the sum of that count (tests, failures, errors, skipped) over reports of Surefire.
reported() {
    local word=$1
    shift
    grep -ho '<testsuite [^>]*' "$@" \
        | awk -v word="$word" '{ if (match($0, " " word "=\"[0-9]+\"")) sum += substr($0, RSTART + length(word) + 3) } END { print sum + 0 }'
}
