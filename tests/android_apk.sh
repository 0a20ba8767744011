#!/bin/bash
# Makes a signed APK of an application with the modules and libraries of android/ (android/apk.sh), and looks at it. It is not one
# to run: see there.
#   tests/android_apk.sh          ends with `test result: ...`, as cargo's tests do
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'android-apk: %s\n' "$*"; }
die() { printf 'android-apk: error: %s\n' "$*" >&2; exit 1; }
. android/modules.sh
. tests/c/checks.sh

# The application, and its package.
app=android/sample package=org.underpass.sample
out=$PWD/target/android-apk
said=$out/said
native=$PWD/target/native
apk=$out/$(basename "$app")-not-runnable.apk
rm -rf "$out" && mkdir -p "$out"
for abi in "${abis[@]}"; do
    [ -f "$native/$abi/libunderpass_jni.so" ] || die "there is no library for $abi: run tests/android_native.sh"
done

made() { android/apk.sh "$app" "$out" "$native"; }
signed() { apksigner verify --verbose --min-sdk-version 26 "$apk" && apksigner verify --verbose --min-sdk-version 26 "$apk" | grep -F 'v3 scheme (APK Signature Scheme v3): true'; }
# One changed byte is found: the signature covers what is inside.
covered() {
    cp "$apk" "$out/changed.apk" && printf 'x' | dd of="$out/changed.apk" bs=1 seek=200000 conv=notrunc &&
        ! apksigner verify --min-sdk-version 26 "$out/changed.apk"
}
aligned() { zipalign -c 16384 "$apk"; }
# Libraries are mapped from the APK, so they are not compressed; they are those that were tested.
libraries() {
    local abi
    for abi in "${abis[@]}"; do
        unzip -lv "$apk" | grep -E " Stored .* lib/$abi/libunderpass_jni.so$" && unzip -lv "$apk" | grep -E " Stored .* lib/$abi/libjnidispatch.so$" &&
            unzip -p "$apk" "lib/$abi/libunderpass_jni.so" | cmp - "$native/$abi/libunderpass_jni.so" || return
    done
}
badge() {
    aapt dump badging "$apk" >"$out/badge" && cat "$out/badge" && grep -F "package: name='$package'" "$out/badge" &&
        grep -x "sdkVersion:'26'" "$out/badge" && grep -x "targetSdkVersion:'$(pinned target-sdk)'" "$out/badge" && grep -F launchable-activity "$out/badge"
}
# Every class of the modules and of the application is in the dex files.
classes_are() {
    local part
    unzip -q -o -d "$out/unpacked" "$apk" 'classes*.dex' || return
    for part in "$out"/unpacked/classes*.dex; do dexdump "$part" || return; done 2>/dev/null |
        sed -n "s/^ *Class descriptor *: 'L\(.*\);'$/\1/p" | grep -E "^org/underpass/" | sort -u >"$out/dexed"
    wc -l "$out/dexed"
    diff <(cd "$out/built/classes" && find org/underpass -name '*.class' | sed 's/\.class$//' | sort) "$out/dexed"
}

check "an APK of $app is made" made
check "its signature holds" signed
check "and covers what is inside" covered
check "it is aligned for pages of 16 KB" aligned
check "its libraries are mapped as they were tested" libraries
check "its manifest" badge
check "its classes" classes_are
conclude
