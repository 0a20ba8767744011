#!/usr/bin/env python3
"""Holds the Gradle files of android/ and the Maven files of tests/ to the same sources, versions and SDK levels.

Both build the same folders: Gradle for people and for releases, Maven for the tests here. Nothing of it runs Gradle.
"""
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAVEN = "{http://maven.apache.org/POM/4.0.0}"
problems = []


def same(what, gradle, maven):
    if gradle != maven or not gradle:
        problems.append(f"{what}: {gradle} for Gradle, {maven} for Maven")


def catalog():
    versions = {}
    for line in (ROOT / "android/gradle/libs.versions.toml").read_text().splitlines():
        if line.startswith("[libraries]"):
            break
        if found := re.match(r'([\w-]+) = "([^"]+)"', line):
            versions[found[1]] = found[2]
    return versions


def properties(pom):
    found = xml.parse(pom).getroot().find(f"{MAVEN}properties")
    return {one.tag.removeprefix(MAVEN): one.text for one in found}


def folders(gradle, name):
    """The folders of a source set of a module, from the root of the project."""
    block = re.search(r'getByName\("%s"\) \{(.*?)\}|getByName\("%s"\) \{\s*(.*?)\n        \}' % (name, name), gradle.read_text(), re.S)
    listed = re.search(r"kotlin\.srcDirs\((.*?)\)", block[0])
    return {str((gradle.parent / path).resolve().relative_to(ROOT)) for path in re.findall(r'"([^"]+)"', listed[1])}


def maven_folders(pom, execution):
    root = xml.parse(pom).getroot()
    found = set()
    for one in root.iter(f"{MAVEN}execution"):
        if one.findtext(f"{MAVEN}id") == execution:
            found |= {each.text for each in one.iter(f"{MAVEN}sourceDir")}
    if not found:
        tag = "sourceDirectory" if execution == "compile" else "testSourceDirectory"
        found |= {each.text for each in root.iter(f"{MAVEN}{tag}")}
    # R is made by the Gradle plugin by itself.
    paths = (path.replace("${root}", str(ROOT)).replace("${project.basedir}", str(pom.parent)) for path in found if "${built}" not in path)
    return {str(Path(path).resolve().relative_to(ROOT)) for path in paths}


def main():
    versions = catalog()
    maven = properties(ROOT / "tests/android/pom.xml")
    for name, key in [("kotlin", "kotlin.version"), ("coroutines", "coroutines.version"), ("jna", "jna.version"), ("junit4", "junit4.version"),
                      ("robolectric", "robolectric.version"), ("zxing", "zxing.version"), ("jvm-target", "kotlin.compiler.jvmTarget")]:
        same(name, versions.get(name), maven.get(key))
    jvm = (ROOT / "tests/kotlin/pom.xml").read_text()
    same("kotlin of tests/kotlin", versions.get("kotlin"), properties(ROOT / "tests/kotlin/pom.xml")["kotlin.version"])
    for name, artifact in [("coroutines", "kotlinx-coroutines-core"), ("jna", "jna"), ("junit5", "junit-jupiter")]:
        found = re.search(rf"<artifactId>{artifact}</artifactId>\s*<version>([^<]+)</version>", jvm)
        same(f"{artifact} of tests/kotlin", versions.get(name), found and found[1])

    modules = re.findall(r'":([\w-]+)"', (ROOT / "android/settings.gradle.kts").read_text())
    same("modules", modules, re.findall(r"<module>([\w-]+)</module>", (ROOT / "tests/android/pom.xml").read_text()))
    for module in modules:
        gradle, pom = ROOT / "android" / module / "build.gradle.kts", ROOT / "tests/android" / module / "pom.xml"
        same(f"sources of {module}", folders(gradle, "main"), maven_folders(pom, "compile"))
        if module == "tunnel":
            # Its tests, those of the generated classes beside them, and single files that a program there takes.
            tests = maven_folders(ROOT / "tests/kotlin/pom.xml", "test-compile") - {"tests/kotlin/src/test/kotlin"}
            tests = {path for path in tests if not path.endswith(".kt")}
            same("sources of tunnel in tests/kotlin", folders(gradle, "main"), maven_folders(ROOT / "tests/kotlin/pom.xml", "compile"))
        else:
            tests = maven_folders(pom, "test-compile")
        same(f"tests of {module}", folders(gradle, "test"), tests)
        for level in ("compileSdk", "minSdk"):
            if f"libs.versions.{level.replace('Sdk', '.sdk')}.get()" not in gradle.read_text():
                problems.append(f"{module}: {level} is not that of the catalog")

    levels = (ROOT / "tests/android.sh").read_text()
    same("the lowest API level", versions.get("min-sdk"), (re.search(r"^min_sdk=(\d+)$", levels, re.M) or [None, None])[1])
    resources = (ROOT / "tests/android/resources.sh").read_text()
    same("the lowest API level of resources", versions.get("min-sdk"), (re.search(r"--min-sdk-version (\d+)", resources) or [0, None])[1])
    same("the API level that is aimed at", versions.get("target-sdk"), (re.search(r"--target-sdk-version (\d+)", resources) or [0, None])[1])
    sources = [path for path in (ROOT / "android").rglob("*.kt")]
    known = set().union(*(folders(ROOT / "android" / module / "build.gradle.kts", part) for module in modules for part in ("main", "test")))
    for path in sources:
        if not any(str(path.relative_to(ROOT)).startswith(folder + "/") for folder in known):
            problems.append(f"{path.relative_to(ROOT)} is built by nobody")
    for problem in problems:
        print(f"same: error: {problem}")
    print(f"same: {len(modules)} modules, {len(sources)} files, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
