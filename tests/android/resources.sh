#!/bin/bash
# Makes the class R and the compiled resources of the sample, and says to Robolectric where they are.
#   tests/android/resources.sh OUT
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1
# Debian's, of API 29: the newest that its aapt2 reads. The sample names nothing newer.
framework=/usr/share/android-framework-res/framework-res.apk

rm -rf "$out"
mkdir -p "$out/java" "$out/test/com/android/tools"
# The Gradle plugin adds the package; aapt2 wants it in the manifest, and Debian's is too old for <queries>
# and for a type of services in the foreground of API 34.
sed -e 's|<manifest |<manifest package="org.underpass.sample" |' -e '/<queries>/,/<\/queries>/d' \
    -e '/android:foregroundServiceType=/d' \
    android/sample/src/main/AndroidManifest.xml > "$out/AndroidManifest.xml"
aapt2 compile --dir android/sample/src/main/res -o "$out/resources.zip"
aapt2 link -I "$framework" --manifest "$out/AndroidManifest.xml" --java "$out/java" --min-sdk-version 24 \
    --target-sdk-version 36 -o "$out/resources.apk" "$out/resources.zip"
printf '%s\n' "android_merged_manifest=$PWD/$out/AndroidManifest.xml" "android_resource_apk=$PWD/$out/resources.apk" \
    'android_custom_package=org.underpass.sample' > "$out/test/com/android/tools/test_config.properties"
