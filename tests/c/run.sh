#!/bin/bash
# The C interface, from C and C++: the header as compilers see it, then the tests of this folder, plain, under the
# sanitizers and under valgrind; at last, that these tools see what is planted for them.
#   tests/c/run.sh          everything
#   tests/c/run.sh NAME     the tests whose names contain NAME, plain
# Each line `test NAME ... ok` is a test; the lines `test result:` are what tests/run.sh counts. Built with the library's
# feature `provoke`, whose entries fail on purpose, in folders from which nothing is installed.
. "$(dirname "$0")/../afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/../.."

out=$PWD/target/c-tests
host=$(rustc --print host-tuple) || exit
strict=(-Wall -Wextra -pedantic -Werror -Iinclude)
# POSIX for threads; otherwise C99 and nothing else.
c99=(-std=c99 -D_POSIX_C_SOURCE=200809L -g -O1 "${strict[@]}")
# What a static library of Rust needs of the system.
system=(-lpthread -ldl -lm)
support=(tests/c/check.c tests/c/scene.c)
mapfile -t sources < <(ls tests/c/*.c | grep -v planted.c)
passed=0 failed=0
# Panics are provoked here: one line each will do.
export RUST_BACKTRACE=0

die() {
    printf 'tests/c: error: %s\n' "$*" >&2
    exit 1
}

# check NAME COMMAND...: a test that is a command.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1 < /dev/null); then
        passed=$((passed + 1))
        echo "test $name ... ok"
    else
        failed=$((failed + 1))
        printf '%s\ntest %s ... FAILED\n' "$said" "$name"
    fi
}

# fails PATTERN COMMAND...: whether the command fails and says why.
fails() {
    local pattern=$1 said
    shift
    said=$("$@" 2>&1 < /dev/null) && { echo "nothing was noticed"; return 1; }
    grep -qE "$pattern" <<< "$said" || { echo "$said"; return 1; }
}

# suite NAME COMMAND...: a program with tests of its own, which it counts itself, unless it crashes or a tool complains.
suite() {
    local name=$1 log=$out/$1.log status
    shift
    echo "--- $name"
    "$@" < /dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ "$status" != 0 ] && ! grep -q '^test result: FAILED' "$log"; then
        failed=$((failed + 1))
        echo "test $name (status $status) ... FAILED"
    fi
}

build() { "$@" || die "this does not build: $*"; }

# The header alone, as each standard of each compiler sees it.
headers() {
    local standard compiler
    printf '#include <underpass.h>\nint main(void) { return underpass_version() == 0; }\n' | tee "$out/header.c" > "$out/header.cpp"
    for compiler in gcc clang; do
        for standard in c99 c11 c17; do
            check "header_${standard}_$compiler" "$compiler" -std=$standard "${strict[@]}" -fsyntax-only "$out/header.c"
        done
    done
    for compiler in g++ clang++; do
        for standard in c++11 c++14 c++17 c++20; do
            check "header_${standard/++/xx}_$compiler" "$compiler" -std=$standard "${strict[@]}" -fsyntax-only "$out/header.cpp"
        done
    done
}

# What may be NULL is told to clang, and only to it: a NULL that no function takes is seen when it is compiled.
nullability() {
    local taken='underpass_tunnel *t; return underpass_tunnel_free(NULL) + underpass_tunnel_new(NULL, 0, 0, &t);'
    local refused='return underpass_tunnel_handle_timeout(NULL, 0);'
    printf '#include <underpass.h>\nint main(void) { %s }\n' "$taken" >"$out/taken.c"
    printf '#include <underpass.h>\nint main(void) { %s }\n' "$refused" >"$out/refused.c"
    check clang_is_content_with_a_null_that_may_be clang "${c99[@]}" -fsyntax-only "$out/taken.c"
    check clang_sees_a_null_that_must_not_be fails 'Wnonnull' clang "${c99[@]}" -fsyntax-only "$out/refused.c"
    check clang_is_silent_where_nobody_asks clang "${c99[@]}" -DUNDERPASS_NULLABLE= -fsyntax-only "$out/refused.c"
    # gcc would take what is called nonnull as a fact, and leave out the checks of whoever calls.
    check gcc_is_told_nothing gcc "${c99[@]}" -Wnonnull -fsyntax-only "$out/refused.c"
}

# What no test mentions is not tested: every function, every code.
mentioned() {
    local name missing=0
    for name in $(grep -v '^ \*' include/underpass.h | grep -oE '\bunderpass_[a-z0-9_]+\(' | tr -d '(' | sort -u) \
        $(sed -n '/UNDERPASS_STATUS/d; s/^#define \(UNDERPASS_[A-Z0-9_]*\) .*[0-9].*/\1/p' include/underpass.h); do
        grep -qw "$name" tests/c/*.c tests/c/firmware/*.c bindings/c/examples/firmware/*.c && continue
        echo "no test mentions $name"
        missing=1
    done
    return $missing
}

# plain: builds the library, and the tests against it: static with both compilers, shared with one.
plain() {
    build cargo build --locked -p underpass-c --features provoke --target-dir "$out/library"
    local library=$out/library/debug
    build gcc "${c99[@]}" "${sources[@]}" "$library/libunderpass.a" "${system[@]}" -o "$out/gcc"
    [ $# = 0 ] || exec "$out/gcc" "$@"
    build clang "${c99[@]}" "${sources[@]}" "$library/libunderpass.a" "${system[@]}" -o "$out/clang"
    mkdir -p "$out/lib" && ln -sf "$library/libunderpass.so" "$out/lib/libunderpass.so" \
        && ln -sf "$library/libunderpass.so" "$out/lib/$(soname "$library/libunderpass.so")"
    build gcc "${c99[@]}" "${sources[@]}" -L"$out/lib" -lunderpass "-Wl,-rpath,$out/lib" -lpthread -o "$out/shared"
    suite gcc "$out/gcc"
    suite clang "$out/clang"
    suite shared "$out/shared"
}

soname() { objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'; }

# The library and the tests with sanitizers: those of Rust and of gcc speak to one runtime, that of Rust. C alone would
# not see what the library reads or writes beyond memory of C.
sanitized() {
    local runtime
    runtime=$(rustc --print sysroot)/lib/rustlib/$host/lib/librustc-stable_rt.asan.a
    [ -f "$runtime" ] || runtime=${runtime/stable_rt/nightly_rt}
    [ -f "$runtime" ] || die "this Rust has no AddressSanitizer for $host"
    build env RUSTC_BOOTSTRAP=1 "RUSTFLAGS=${RUSTFLAGS:-} -Zsanitizer=address" cargo build --locked -p underpass-c \
        --features provoke --target "$host" --target-dir "$out/sanitized-library"
    local flags=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    local library=("$out/sanitized-library/$host/debug/libunderpass.a" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive
        -Wl,--export-dynamic "${system[@]}" -lrt -lstdc++)
    local file objects=()
    for file in "${sources[@]}" tests/c/planted.c; do
        build gcc "${c99[@]}" "${flags[@]}" -c "$file" -o "$out/$(basename "$file" .c).o"
        objects+=("$out/$(basename "$file" .c).o")
    done
    unset 'objects[-1]'
    build gcc "${objects[@]}" "${library[@]}" -o "$out/asan"
    build gcc "$out/planted.o" "$out/check.o" "$out/scene.o" "${library[@]}" -o "$out/asan-planted"
    # What C++ holds: its own library is asked to check indices and values that are not there.
    local cxx=(-std=c++17 -fno-exceptions -D_GLIBCXX_ASSERTIONS -g -O1 "${strict[@]}" "${flags[@]}")
    build g++ "${cxx[@]}" -c tests/c/wrapper.cpp -o "$out/wrapper.o"
    build g++ "${cxx[@]}" -c bindings/c/examples/loopback.cpp -o "$out/loopback.o"
    build g++ "$out/wrapper.o" "$out/check.o" "$out/scene.o" "${library[@]}" -o "$out/asan-wrapper"
    build g++ "$out/loopback.o" "${library[@]}" -o "$out/asan-loopback"
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
    suite asan "$out/asan"
    suite asan-wrapper "$out/asan-wrapper"
    check the_example_in_cxx_is_sound "$out/asan-loopback"
    check asan_is_content_where_nothing_is_wrong "$out/asan-planted" none
    check asan_sees_c_write_too_far fails 'AddressSanitizer: heap-buffer-overflow' "$out/asan-planted" c-overflow
    check asan_sees_the_library_write_too_far fails 'AddressSanitizer: heap-buffer-overflow' "$out/asan-planted" library-overflow
    check asan_sees_the_library_read_too_far fails 'AddressSanitizer: heap-buffer-overflow' "$out/asan-planted" library-overread
    check asan_sees_use_after_free fails 'AddressSanitizer: heap-use-after-free' "$out/asan-planted" freed
    check asan_sees_a_leak fails 'LeakSanitizer: detected memory leaks' "$out/asan-planted" leak
    check ubsan_sees_an_overflow fails 'runtime error' "$out/asan-planted" undefined
}

# The same programs as `plain`, in valgrind: it looks into the library as it ships, assembly included.
in_valgrind() {
    local valgrind=(valgrind --quiet --child-silent-after-fork=yes --error-exitcode=99 --leak-check=full --show-leak-kinds=all
        --errors-for-leak-kinds=definite,indirect,possible)
    build gcc "${c99[@]}" tests/c/planted.c "${support[@]}" "$out/library/debug/libunderpass.a" "${system[@]}" -o "$out/planted"
    suite valgrind "${valgrind[@]}" "$out/gcc"
    check valgrind_is_content_where_nothing_is_wrong "${valgrind[@]}" "$out/planted" none
    check valgrind_sees_c_write_too_far fails 'Invalid write' "${valgrind[@]}" "$out/planted" c-overflow
    check valgrind_sees_the_library_write_too_far fails 'Invalid write' "${valgrind[@]}" "$out/planted" library-overflow
    check valgrind_sees_the_library_read_too_far fails 'Invalid read' "${valgrind[@]}" "$out/planted" library-overread
    check valgrind_sees_use_after_free fails 'Invalid read' "${valgrind[@]}" "$out/planted" freed
    check valgrind_sees_a_leak fails 'definitely lost' "${valgrind[@]}" "$out/planted" leak
}

# C++: the header links as C++11, the wrapper works as C++17 without exceptions and without type information.
cxx() {
    local compiler wrapper=(-std=c++17 -fno-exceptions -fno-rtti -g -O1 "${strict[@]}")
    build gcc "${c99[@]}" -c tests/c/check.c -o "$out/check-plain.o"
    build gcc "${c99[@]}" -c tests/c/scene.c -o "$out/scene-plain.o"
    local support=("$out/check-plain.o" "$out/scene-plain.o" "$out/library/debug/libunderpass.a" "${system[@]}")
    for compiler in g++ clang++; do
        build "$compiler" -std=c++11 -g -O1 "${strict[@]}" tests/c/link.cpp "${support[@]}" -o "$out/link-$compiler"
        suite "link-$compiler" "$out/link-$compiler"
        build "$compiler" "${wrapper[@]}" tests/c/wrapper.cpp "${support[@]}" -o "$out/wrapper-$compiler"
        suite "wrapper-$compiler" "$out/wrapper-$compiler"
    done
    suite wrapper-valgrind valgrind --quiet --child-silent-after-fork=yes --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
        --errors-for-leak-kinds=definite,indirect,possible "$out/wrapper-g++"
}

for tool in cargo gcc g++ clang clang++ valgrind objdump; do
    command -v $tool > /dev/null || die "there is no $tool: run \`make setup\`"
done
mkdir -p "$out" && rm -f "$out"/*.log
[ $# = 0 ] || plain "$@"
headers
nullability
check every_function_and_code_is_mentioned_by_a_test mentioned
plain
cxx
in_valgrind
sanitized
printf '\ntest result: %s. %d passed; %d failed; 0 ignored\n' "$([ $failed = 0 ] && echo ok || echo FAILED)" "$passed" "$failed"
[ "$failed" = 0 ] && ! grep -l '^test result: FAILED' "$out"/*.log
