#!/bin/bash
# Packs the modules of android/ twice (android/package.sh), looks at what is in them, and takes them from their repository as an
# application would. Native libraries are those of tests/android_native.sh.
#   tests/android_package.sh          ends with `test result: ...`, as cargo's tests do
. "$(dirname "$0")/afresh.sh"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'android-package: %s\n' "$*"; }
die() { printf 'android-package: error: %s\n' "$*" >&2; exit 1; }
. android/modules.sh
. tests/native/classes.sh
. tests/c/checks.sh

out=$PWD/target/android-package
said=$out/said
native=$PWD/target/native
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
rm -rf "$out" && mkdir -p "$out"
for abi in "${abis[@]}"; do
    [ -f "$native/$abi/libunderpass_jni.so" ] || die "there is no library for $abi: run tests/android_native.sh"
done

packs() { android/package.sh "$out/one" "$native"; }
# Packed later and from a copy in another folder: nothing of time and place is in it.
same() { android/package.sh "$out/two" "$native" && diff -r "$out/one" "$out/two"; }
at() { echo "$out/one/org/underpass/$1/$version/$1-$version$2"; }
unpacked() { mkdir -p "$out/$name" && unzip -q -d "$out/$name" "$(at "$name" .aar)"; }
# What an AAR must have, and nothing beside it.
listed() {
    local abi expected=(AndroidManifest.xml META-INF/com/android/build/gradle/aar-metadata.properties R.txt classes.jar proguard.txt)
    if [ "$name" = tunnel ]; then
        for abi in "${abis[@]}"; do expected+=("jni/$abi/libunderpass_jni.so"); done
    fi
    diff <(printf '%s\n' "${expected[@]}" | sort) <(cd "$out/$name" && find . -type f | sed 's|^\./||' | sort)
}
manifest_says() {
    python3 - "$out/$name/AndroidManifest.xml" "$namespace" "$(pinned min-sdk)" <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
android = '{http://schemas.android.com/apk/res/android}'
assert root.tag == 'manifest' and root.get('package') == sys.argv[2], root.attrib
assert [sdk.get(android + 'minSdkVersion') for sdk in root.findall('uses-sdk')] == [sys.argv[3]]
END
}
# Every class lies in the module's own packages, and none is newer than Java 17.
classes_are() {
    local jar=$out/$name/classes.jar one
    jar --list --file "$jar" | grep '\.class$' >"$out/list" && [ "$(wc -l <"$out/list")" -gt 10 ] || return
    ! grep -v "^${namespace//./\/}/" "$out/list" || return
    one=$(head -n 1 "$out/list")
    unzip -p "$jar" "$one" | od -An -j6 -N2 -tu1 | awk '{ print; exit !($1 * 256 + $2 <= 61) }'
}
# The rules keep what native code and JNA find by name.
rules() { cmp "android/$name/consumer-rules.pro" "$out/$name/proguard.txt" && { [ "$name" != tunnel ] || grep -F 'org.underpass.tunnel.internal.**' "$out/$name/proguard.txt"; }; }
same_libraries() { local abi; for abi in "${abis[@]}"; do cmp "$native/$abi/libunderpass_jni.so" "$out/$name/jni/$abi/libunderpass_jni.so" || return; done; }
sources_are() { diff <(for folder in ${sources//,/ }; do (cd "$folder" && find . -name '*.kt' | sed 's|^\./||'); done | sort) <(jar --list --file "$(at "$name" -sources.jar)" | grep '\.kt$' | sort); }
pages_are() { jar --list --file "$(at "$name" -javadoc.jar)" >"$out/list" && grep -x index.html "$out/list" && [ "$(grep -c '\.html$' "$out/list")" -gt 20 ]; }

# taken: an application that names the module alone gets all that it needs.
taken() {
    local kept=${HOME:?}/.m2/repository/org/underpass/$name
    rm -rf "$kept"
    mvn --batch-mode --quiet --no-transfer-progress -f tests/native/consumer/pom.xml dependency:copy-dependencies \
        "-Dpacked=$out/one" "-Dmodule=$name" "-Dversion=$version" "-Dtaken=$out/taken-$name" || return
    rm -rf "$kept"
    ls "$out/taken-$name"
    cmp "$(at "$name" .aar)" "$out/taken-$name/$name-$version.aar" &&
        ls "$out/taken-$name" | grep -x "kotlinx-coroutines-core-jvm-$(pinned coroutines).jar" && ls "$out/taken-$name" | grep -x "jna-$(pinned jna).aar" &&
        ! ls "$out/taken-$name" | grep -x "jna-$(pinned jna).jar"
}
# JNA's own libraries are what often is not made for pages of 16 KB. Only 64-bit systems have such pages.
jna_aligned() {
    local abi align loads
    mkdir -p "$out/jna" && unzip -q -o -d "$out/jna" "$out/taken-tunnel/jna-$(pinned jna).aar" || return
    for abi in "${abis[@]}"; do [ -f "$out/jna/jni/$abi/libjnidispatch.so" ] || return; done
    for abi in arm64-v8a x86_64; do
        loads=0
        for align in $(readelf -lW "$out/jna/jni/$abi/libjnidispatch.so" | awk '$1 == "LOAD" { print $NF }'); do
            echo "$abi $align" && [ $((align % 16384)) = 0 ] || return
            loads=$((loads + 1))
        done
        [ "$loads" -gt 0 ] || return
    done
}

check "the modules compile" compile
check "they are packed" packs
check "packed again they are the same bytes" same
for line in "${modules[@]}"; do
    module "$line"
    check "$name: unpacks" unpacked
    check "$name: has what an AAR has, and nothing else" listed
    check "$name: its manifest has package and lowest API" manifest_says
    check "$name: its classes" classes_are
    check "$name: its rules for R8" rules
    [ "$name" != tunnel ] || check "$name: its libraries are those that were tested" same_libraries
    check "$name: its sources" sources_are
    check "$name: its pages" pages_are
    check "$name: an application gets it with all that it needs" taken
done
check "JNA's libraries have segments for pages of 16 KB" jna_aligned
conclude
