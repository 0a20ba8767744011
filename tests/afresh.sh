#!/bin/bash
# Sourced first by the scripts that run tests: what they inherit decides no verdict. Standard input is empty, the umask is
# 022, no descriptor is open but the standard streams, signals act by default, and the environment has none of the words that
# tools, make and tests listen to. What builds need of a machine stays: toolchains, proxies, flags of compilers. SIGHUP, SIGINT
# and SIGQUIT stay as they were, for `nohup` and a shell's background mean the script; tests see to their own children.
if [ "${STARTED_AFRESH:-}" != $$ ]; then
    # A shell cannot undo that a signal is ignored, nor its own options: it starts anew, as the same process.
    exec env -u SHELLOPTS -u BASHOPTS -u BASH_ENV -u CDPATH --default-signal=PIPE,TERM,CHLD,USR1,USR2,ALRM \
        STARTED_AFRESH=$$ bash "$0" "$@"
fi

for fd in "/proc/$$/fd/"*; do
    fd=${fd##*/}
    # bash itself reads the script by 255, which no program gets.
    if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then eval "exec $fd>&-"; fi
done
unset fd
exec </dev/null
umask 022

unset STARTED_AFRESH LANG LANGUAGE "${!LC_@}" "${!GIT_@}" "${!WG_@}" "${!UNDERPASS_@}" "${!PROPTEST_@}" "${!RUST_TEST_@}"
unset RUST_BACKTRACE RUST_LIB_BACKTRACE RUST_LOG LOG_LEVEL STATE_DIRECTORY TMPDIR
unset PAGER MANPAGER NO_COLOR CLICOLOR CLICOLOR_FORCE FORCE_COLOR GCC_COLORS GREP_COLOR GREP_COLORS GREP_OPTIONS COLUMNS LINES
unset POSIXLY_CORRECT GLOBIGNORE TMOUT ENV VALGRIND_OPTS ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEFILES GNUMAKEFLAGS CARGO_MAKEFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET
unset PREFIX DESTDIR INCLUDEDIR LIBDIR PROFILE BACKEND FEATURES BUILD_STD TARGET CROSS_COMPILE CARGOFLAGS
export LC_ALL=C TERM=dumb CARGO_TERM_COLOR=never
