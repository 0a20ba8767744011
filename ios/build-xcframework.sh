#!/bin/bash
# Makes the Swift package that applications add: the sources of this folder, and UnderpassFFI.xcframework with the static library
# for iOS, its simulator and macOS.
#   ios/build-xcframework.sh [FOLDER]             on a Mac with Xcode and rustup; FOLDER is target/ios/Underpass
#   ios/build-xcframework.sh --sources FOLDER     only the sources, anywhere
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'xcframework: %s\n' "$*"; }
die() { printf 'xcframework: error: %s\n' "$*" >&2; exit 1; }

# sources FOLDER: the package without what only tests need. Links become files: they lead out of the package.
sources() {
    mkdir -p "$1"
    rm -rf "$1/Sources"
    cp -RL ios/Sources "$1/Sources"
    sed -e '/\.testTarget(/d' ios/Package.swift >"$1/Package.swift"
    cp ios/README.md LICENSE-APACHE LICENSE-MIT "$1/"
}

# headers FOLDER: in a folder of their own, so that they do not meet the module maps of other frameworks.
headers() {
    rm -rf "$1"
    mkdir -p "$1/UnderpassFFI"
    cp -L ios/Sources/UnderpassFFI/* "$1/UnderpassFFI/"
}

# slice NAME TARGET...: one library for these targets.
slice() {
    local name=$1 target libraries=()
    shift
    for target in "$@"; do
        cargo build --locked --release -p underpass-swift --target "$target"
        libraries+=("target/$target/release/libunderpass_swift.a")
    done
    mkdir -p "$work/$name"
    lipo -create "${libraries[@]}" -output "$work/$name/libunderpass_swift.a"
    frameworks+=(-library "$work/$name/libunderpass_swift.a" -headers "$work/Headers")
}

if [ "${1:-}" = --sources ]; then
    sources "${2:?a folder}"
    headers "$2/Headers"
    exit
fi

[ "$(uname)" = Darwin ] || die "this needs a Mac with Xcode; elsewhere: --sources FOLDER"
for tool in xcodebuild lipo rustup cargo; do command -v "$tool" >/dev/null || die "there is no $tool"; done
out=${1:-target/ios/Underpass}
work=target/ios/work
frameworks=()
# The oldest systems that the package supports.
export IPHONEOS_DEPLOYMENT_TARGET=15.0 MACOSX_DEPLOYMENT_TARGET=12.0
rustup target add aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios aarch64-apple-darwin x86_64-apple-darwin
headers "$work/Headers"
slice ios aarch64-apple-ios
slice simulator aarch64-apple-ios-sim x86_64-apple-ios
slice macos aarch64-apple-darwin x86_64-apple-darwin
sources "$out"
rm -rf "$out/UnderpassFFI.xcframework"
xcodebuild -create-xcframework "${frameworks[@]}" -output "$out/UnderpassFFI.xcframework"
say "the package is in $out"
