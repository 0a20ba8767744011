"""Holds the stand-ins of Apple's frameworks against public lists of Apple's declarations: selectors.py METADATA STUBS

Every class of the stand-in of NetworkExtension, its superclass, every selector that is named after `objc:`, and every function and
constant of the stand-in of Security must be in the list. A member without a selector is an error too, unless its comment says
that it is for tests.
"""
import json
import pathlib
import re
import sys


def sources(metadata, crate):
    """The text of a crate."""
    packages = json.loads(pathlib.Path(metadata).read_text())["packages"]
    manifest = next(p["manifest_path"] for p in packages if p["name"] == crate)
    files = sorted(pathlib.Path(manifest).parent.joinpath("src/generated").rglob("*.rs"))
    return "\n".join(file.read_text() for file in files)


def classes(text):
    """The superclass of each class of Apple's, and the selectors that it or a category of it has."""
    found = {}
    for attributes, name in re.findall(r"extern_class!\((.*?)pub struct (\w+);", text, re.S):
        above = re.search(r"unsafe\(super\(([^)]*)\)\)", attributes)
        found[name] = [above.group(1).split(",")[0].strip() if above else "", set()]
    for block in re.split(r"\n(?:impl|    impl) ", text)[1:]:
        name = re.match(r"(\w+)", block).group(1)
        if name in found:
            # `_` stands for the place of an error that Rust returns instead.
            found[name][1].update(re.findall(r"unsafe\(method\(([\w:]+)\)\)", block))
    return found


def declared(text):
    """The classes of a stand-in: their superclass, and their members, each with its line and selectors."""
    found, current, excused = {}, None, False
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"(?:open|public(?: final)?) class (\w+): (\w+)", line)
        if head:
            current = head.group(1)
            found[current] = (head.group(2), [])
        elif re.match(r"(?:public enum|public struct)", line):
            current = None
        member = re.match(r"    (?:@\w+ )*(?:nonisolated\(unsafe\) )?(?:open|public) (?:class |static )?(?:func|var|let|init)\b", line)
        if member and current and not excused:
            named = re.search(r"// objc: (.*)$", line)
            found[current][1].append((number, named.group(1).split() if named else []))
        excused = "/// For tests:" in line
    return found


def main(metadata, stubs):
    problems, looked_up = [], 0
    apple = classes(sources(metadata, "objc2-network-extension"))
    for path in sorted(pathlib.Path(stubs, "NetworkExtension").glob("*.swift")):
        for name, (above, members) in declared(path.read_text()).items():
            if name not in apple:
                problems.append(f"{path}: Apple has no class {name}")
                continue
            if above != apple[name][0]:
                problems.append(f"{path}: {name} is a {apple[name][0]}, not a {above}")
            for number, selectors in members:
                if not selectors:
                    problems.append(f"{path}:{number}: no selector is named")
                for selector in selectors:
                    looked_up += 1
                    if selector not in apple[name][1]:
                        problems.append(f"{path}:{number}: {name} has no selector {selector}")
    security = sources(metadata, "objc2-security")
    for path in sorted(pathlib.Path(stubs, "Security").glob("*.swift")):
        names = re.findall(r"^(?:nonisolated\(unsafe\) )?public (?:let|func) (\w+)", path.read_text(), re.M)
        for name in names:
            looked_up += 1
            if not re.search(rf"pub (?:unsafe )?(?:static|const|fn) {name}\b", security):
                problems.append(f"{path}: Security has no {name}")
    if looked_up < 80:
        problems.append(f"only {looked_up} declarations were found")
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"{looked_up} declarations are Apple's")


main(*sys.argv[1:])
