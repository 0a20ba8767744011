#!/bin/bash
# Builds bindings/c/examples/router.c, optimised and with the static library, for tests/interop: target/c/router.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --locked --release -p underpass-c
mkdir -p target/c
gcc -std=c99 -D_GNU_SOURCE -O2 -Wall -Wextra -pedantic -Werror -Iinclude bindings/c/examples/router.c \
    target/release/libunderpass.a -lpthread -ldl -lm -o target/c/router
