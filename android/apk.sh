#!/bin/bash
# Makes a signed APK of an application in the form of android/sample, without Google's tools: Kotlin for Java 8, dx, Debian's aapt,
# zipalign and apksigner. dx leaves invokedynamic of libraries as it is, for which Android has no bootstrap methods: the APK says
# API 26 and shows that all parts fit, but it is not one to run. What runs is what the Android Gradle plugin and R8 make.
#   android/apk.sh SOURCES OUT NATIVE
# SOURCES has src/main/{kotlin,res,AndroidManifest.xml}; NATIVE has ABI/libunderpass_jni.so (android/native.sh). The key is made
# for this APK.
set -euo pipefail
cd "$(dirname "$0")/.."
. android/modules.sh

api=26
frame=/usr/share/android-framework-res/framework-res.apk
die() { printf 'apk: error: %s\n' "$*" >&2; exit 1; }
[ $# = 3 ] || die "usage: android/apk.sh SOURCES OUT NATIVE"
for tool in aapt zipalign apksigner keytool mvn unzip "$frame"; do
    command -v "$tool" >/dev/null || [ -e "$tool" ] || die "there is no $tool"
done
app=$(cd "$1" && pwd)/src/main
mkdir -p "$2"
out=$(cd "$2" && pwd)
native=$(cd "$3" && pwd)
package=$(sed -n 's/^package \([a-z.]*\)$/\1/p' "$app"/kotlin/*/*/*/*.kt | head -n 1)
[ -n "$package" ] || die "$app has no package"

# Sources of the modules in one folder, for the compiler.
rm -rf "$out/modules" "$out/apk" "$out/dex" && mkdir -p "$out/modules" "$out/apk" "$out/dex" "$out/gen"
for line in "${modules[@]}"; do
    module "$line"
    for folder in ${sources//,/ }; do cp -r "$folder/." "$out/modules/"; done
done
# The manifest as the plugin would leave it, without two words that are newer than Debian's tools.
sed -e "s|<manifest |<manifest package=\"$package\" android:versionCode=\"1\" android:versionName=\"0.1.0\" |" \
    -e '/<queries>/,/<\/queries>/d' -e '/android:foregroundServiceType=/d' "$app/AndroidManifest.xml" >"$out/AndroidManifest.xml"
# The class R of its resources, which the compiler of Kotlin reads as it is.
aapt package -f -m -J "$out/gen" -M "$out/AndroidManifest.xml" -S "$app/res" -I "$frame"
mvn --batch-mode --quiet --no-transfer-progress -f android/apk.xml compile "-Dsources=$app/kotlin" "-Dmodules=$out/modules" \
    "-Dresources=$out/gen" "-Dbuilt=$out/built"
javac --release 8 -Xlint:-options -d "$out/built/classes" $(find "$out/gen" -name '*.java')

# Classes of this API; what libraries have for newer Java, and for Java's modules, is nothing for Android.
rm -rf "$out/classes" && mkdir "$out/classes"
for jar in "$out"/built/libraries/*.jar; do
    [[ $jar != */jna-* ]] || continue
    unzip -q -o -d "$out/classes" "$jar" -x 'META-INF/*' '*.kotlin_builtins' 'module-info.class' || [ $? = 11 ]
done
unzip -q -o -d "$out/jna" "$out/built/tools/jna.aar"
unzip -q -o -d "$out/classes" "$out/jna/classes.jar" '*.class'
cp -r "$out/built/classes/." "$out/classes/"
java -Xmx1500m -cp "$out/built/tools/dx.jar" com.android.dx.command.Main --dex --multi-dex --min-sdk-version=$api \
    --output="$out/dex" "$out/classes"

aapt package -f -M "$out/AndroidManifest.xml" -S "$app/res" -I "$frame" -0 so --min-sdk-version $api \
    --target-sdk-version "$(pinned target-sdk)" -F "$out/apk.unaligned"
for abi in "${abis[@]}"; do
    install -D -m 644 -t "$out/apk/lib/$abi" "$native/$abi/libunderpass_jni.so" "$out/jna/jni/$abi/libjnidispatch.so"
done
cp "$out"/dex/classes*.dex "$out/apk/"
(cd "$out/apk" && find . -type f | sed 's|^\./||' | LC_ALL=C sort | xargs aapt add -0 "" "$out/apk.unaligned" >/dev/null)
zipalign -f 16384 "$out/apk.unaligned" "$out/apk.aligned"
rm -f "$out/key"
keytool -genkeypair -keystore "$out/key" -storepass underpass -keypass underpass -alias key -keyalg RSA -keysize 2048 -validity 30 \
    -dname CN=not-for-release >/dev/null 2>&1
apksigner sign --ks "$out/key" --ks-pass pass:underpass --min-sdk-version $api --out "$out/$(basename "$(cd "$1" && pwd)")-not-runnable.apk" "$out/apk.aligned"
rm -f "$out/key" "$out/apk.unaligned" "$out/apk.aligned"
