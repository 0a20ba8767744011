#!/bin/bash
# Looks up what ios/Tests/Stubs declares in public lists of Apple's own declarations: the crates objc2-network-extension and
# objc2-security, which are made from Apple's headers. A stand-in that has what Apple's framework has not fails here.
#   tests/swift/selectors.sh
# Network and os have no such list: they are Swift's own there.
. "$(dirname "$0")/../afresh.sh"
set -euo pipefail
cd "$(dirname "$0")/../.."

lists=target/swift/selectors
mkdir -p "$lists"
cp tests/swift/selectors.toml "$lists/Cargo.toml"
: >"$lists/lib.rs"
cargo metadata --quiet --format-version 1 --manifest-path "$lists/Cargo.toml" >"$lists/metadata.json"
python3 tests/swift/selectors.py "$lists/metadata.json" ios/Tests/Stubs
