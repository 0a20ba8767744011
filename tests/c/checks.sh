#!/bin/bash
# Sourced by the scripts of this folder whose tests are commands. The caller has `say` and sets `said`, a file for what
# commands say.
passed=0 failed=0

# check WHAT COMMAND...: runs it and books its outcome; shows what it said when it failed.
check() {
    local what=$1 status=0
    shift
    "$@" </dev/null >"$said" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        say "ok      $what"
        passed=$((passed + 1))
    else
        say "FAILED  $what (status $status)"
        sed 's/^/    /' "$said"
        failed=$((failed + 1))
    fi
}

# conclude: counts them as cargo does, for tests/run.sh; fails when one failed.
conclude() {
    printf 'test result: %s. %d passed; %d failed; 0 ignored\n' "$([ "$failed" = 0 ] && echo ok || echo FAILED)" "$passed" "$failed"
    [ "$failed" = 0 ]
}
