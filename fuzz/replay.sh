#!/bin/bash
# Replays the corpus of every fuzz target, and mutations of it.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo test -p underpass-fuzz
