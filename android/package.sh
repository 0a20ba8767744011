#!/bin/bash
# Packs the modules of android/ as AARs, in a folder that Maven and Gradle take as a repository: the same bytes from the same
# inputs. Beside each lie its POM, its sources and its pages.
#   android/package.sh REPOSITORY NATIVE
# NATIVE has ABI/libunderpass_jni.so for each ABI (android/native.sh). The classes are compiled (android/modules.sh says where).
# It needs a JDK of 17 or newer, and Maven, by which Dokka writes the pages.
set -euo pipefail
cd "$(dirname "$0")/.."
. android/modules.sh

die() { printf 'package: error: %s\n' "$*" >&2; exit 1; }
[ $# = 2 ] || die "usage: android/package.sh REPOSITORY NATIVE"
mkdir -p "$1"
repository=$(cd "$1" && pwd)
native=$(cd "$2" && pwd)
group=org.underpass
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
draft=$(mktemp -d)
trap 'rm -rf "$draft"' EXIT

# packed JAR FOLDER: all files of a folder, in order, without times.
packed() { (cd "$2" && find . -type f | sed 's|^\./||' | LC_ALL=C sort | jar --create --no-manifest --date=1980-01-01T12:00:00Z --file "$1" @/dev/stdin); }

# manifest NAME NAMESPACE: that of the module, as the Android Gradle plugin would leave it in the AAR.
manifest() {
    local sdk
    sdk="<uses-sdk android:minSdkVersion=\"$(pinned min-sdk)\" />"
    sed -e "s|<manifest |<manifest package=\"$2\" |" "android/$1/src/main/AndroidManifest.xml" |
        awk -v sdk="    $sdk" '
            /<manifest [^>]*\/>/ { sub(/ *\/>/, ">"); print; print sdk; print "</manifest>"; next }
            { print }
            /<manifest / { open = 1 } open && />/ { print sdk; open = 0 }'
}

# dependency GROUP ARTIFACT VERSION TYPE SCOPE
dependency() {
    printf '    <dependency>\n      <groupId>%s</groupId>\n      <artifactId>%s</artifactId>\n      <version>%s</version>\n' "$1" "$2" "$3"
    [ "$4" = jar ] || printf '      <type>%s</type>\n' "$4"
    printf '      <scope>%s</scope>\n    </dependency>\n' "$5"
}

pom() {
    local one parts type
    cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>$group</groupId>
  <artifactId>$name</artifactId>
  <version>$version</version>
  <packaging>aar</packaging>
  <name>Underpass: $name</name>
  <description>A VPN tunnel that speaks WireGuard, for Android.</description>
  <licenses>
    <license><name>MIT</name></license>
    <license><name>Apache-2.0</name></license>
  </licenses>
  <dependencies>
END
    dependency org.jetbrains.kotlin kotlin-stdlib "$(pinned kotlin)" jar compile
    for one in ${depends//,/ }; do
        case $one in
            :*) dependency "$group" "${one#:}" "$version" aar compile ;;
            *)
                type=jar
                [[ $one != *@* ]] || type=${one#*@}
                IFS=: read -ra parts <<<"$(coordinates "${one%@*}")"
                [ ${#parts[@]} = 3 ] || die "libs.versions.toml has no $one"
                dependency "${parts[@]}" "$type" compile
                ;;
        esac
    done
    printf '  </dependencies>\n</project>\n'
}

for line in "${modules[@]}"; do
    module "$line"
    [ -d "$compiled/META-INF" ] || die "$compiled has no classes: they are compiled first"
    aar=$draft/$name into=$repository/${group//.//}/$name/$version base=$name-$version
    mkdir -p "$aar/aar/META-INF/com/android/build/gradle" "$aar/sources" "$into"
    packed "$aar/aar/classes.jar" "$compiled"
    manifest "$name" "$namespace" >"$aar/aar/AndroidManifest.xml"
    : >"$aar/aar/R.txt"
    cp "android/$name/consumer-rules.pro" "$aar/aar/proguard.txt"
    printf 'aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\n' >"$aar/aar/META-INF/com/android/build/gradle/aar-metadata.properties"
    if [ "$name" = tunnel ]; then
        for abi in "${abis[@]}"; do install -D -m 644 -t "$aar/aar/jni/$abi" "$native/$abi/libunderpass_jni.so"; done
    fi
    packed "$into/$base.aar" "$aar/aar"
    pom >"$into/$base.pom"
    for folder in ${sources//,/ }; do cp -r "$folder/." "$aar/sources/"; done
    packed "$into/$base-sources.jar" "$aar/sources"
    mvn --batch-mode --quiet --no-transfer-progress -f android/docs.xml dokka:dokka "-Dmodule=$name" \
        "-Dsources=$PWD/android/$name/src/main/kotlin" "-Dpages=$aar/pages"
    packed "$into/$base-javadoc.jar" "$aar/pages/html"
done
