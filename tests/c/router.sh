#!/bin/bash
# Builds bindings/c/examples/router.c with the static library as it ships, for tests/interop: target/c-tests/router.
. "$(dirname "$0")/../afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/../.."

make -C bindings/c
mkdir -p target/c-tests
gcc -std=c99 -D_GNU_SOURCE -O2 -Wall -Wextra -pedantic -Werror -Iinclude bindings/c/examples/router.c \
    target/c/release-fast/libunderpass.a -lpthread -ldl -lm -o target/c-tests/router
