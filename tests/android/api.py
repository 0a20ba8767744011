#!/usr/bin/env python3
"""Compares what the compiled classes call of Android with the list of its public API.

    api.py LIST ALLOWED MIN_SDK CLASSES...

The framework that is compiled against has hidden members too, and those of every version: the compiler objects to none. LIST is a
TypeScript declaration of the public API with the version that each member is of. A member that is newer than MIN_SDK may be called in
a method that asks for the version before, or that is marked for it (@TargetApi) and called only where it was asked; ALLOWED says for
each why it is. A call that LIST does not have is an error.
"""
import re
import subprocess
import sys
from pathlib import Path

ANDROIDS = ("android.", "java.", "javax.", "dalvik.")
# Methods of every object, and of arrays, that lists of members leave out.
OF_OBJECT = {"getClass", "hashCode", "equals", "toString", "clone", "finalize", "notify", "notifyAll", "wait", "values", "valueOf",
             "name", "ordinal", "compareTo", "getDeclaringClass"}


def read_list(path):
    """Classes by name: version, parents, members by name with the versions of each number of parameters."""
    classes, stack, since = {}, [], None
    module = re.compile(r"(?:declare|export) module (\w+) \{")
    klass = re.compile(r"export (?:abstract )?(?:class|interface) (\w+)(?:<.*>)? *(?: extends (.*?))?(?: implements (.*?))? ?\{")
    member = re.compile(r"(?:public |protected |static |abstract )*(\w+)(?:<.*?>)?(\(|\??:)(.*)")
    for line in open(path, encoding="utf-8"):
        text = line.strip()
        if (found := re.search(r"@since (\d+)", text)) and text.startswith(("/**", "*")):
            since = int(found[1])
        if text.startswith(("/**", "*")) or not text:
            continue
        if found := module.match(text):
            stack.append((found[1], False))
        elif text.startswith("export ") and (found := klass.match(text)):
            stack.append((found[1], True))
            name = ".".join(part for part, _ in stack)
            parents = re.findall(r"[\w.]+", re.sub(r"<.*?>", "", ",".join(part for part in (found[2], found[3]) if part)))
            entry = classes.setdefault(name, {"since": since or 0, "parents": [], "members": {}})
            entry["parents"] += parents
        elif text == "}":
            if stack:
                stack.pop()
        elif stack and stack[-1][1] and (found := member.match(text)):
            entry = classes[".".join(part for part, _ in stack)]
            name = "<init>" if found[1] == "constructor" else found[1]
            count = parameters(found[3]) if found[2] == "(" else -1
            entry["members"].setdefault(name, {}).setdefault(count, []).append(since or 0)
        if not text.startswith("@"):
            since = None
    return classes


def parameters(rest):
    """How many parameters stand before the closing parenthesis."""
    depth, count, some = 0, 0, False
    for at, c in enumerate(rest):
        if c == ")" and depth == 0:
            break
        some = some or not c.isspace()
        depth += c in "(<{[" or 0
        depth -= (c in ")}]") or (c == ">" and rest[at - 1] != "=")
        count += c == "," and depth == 0
    return count + 1 if some else 0


def version(classes, owner, name, count, seen=()):
    """Since when a class or one of its parents has a member; None: it is not public."""
    entry = classes.get(owner)
    if entry is None or owner in seen:
        return None
    counts = entry["members"].get(name, {})
    if count in counts:
        return max(min(counts[count]), entry["since"])
    # A constructor of a class without any in the list is the one that every class has.
    if name == "<init>":
        return entry["since"] if not counts and count == 0 else None
    found = [version(classes, parent, name, count, (*seen, owner)) for parent in entry["parents"]]
    found = [one for one in found if one is not None]
    return max(min(found), entry["since"]) if found else None


def calls(paths):
    """Of each method of each class: what it calls, in order, and whether it is marked for a version; and the parents of each class."""
    listing = subprocess.run(["javap", "-c", "-p", "-v", *map(str, paths)], capture_output=True, text=True, check=True).stdout
    klass, method, out, marked_next, parents = None, None, {}, False, {}
    for line in listing.splitlines():
        if line.startswith("Classfile "):
            klass, method = None, None
        elif klass is None and (found := re.match(r"\s+this_class: #\d+\s+// (\S+)", line)):
            klass = found[1].replace("/", ".").strip('"')
        elif klass and (found := re.match(r"\s+super_class: #\d+\s+// (\S+)", line)):
            parents[klass] = found[1].replace("/", ".").strip('"')
        elif klass and re.match(r"  \S.*;$|  static \{\};$", line) and "(" in line + "(" and not line.startswith("   "):
            head = line.split("(")[0].split()
            method = out.setdefault((klass, line.strip()), {"name": head[-1].split(".")[-1].rstrip(";"), "does": [], "mark": None})
        elif method and (found := re.search(r"// (?:Interface)?Method (?:(\S+?)\.)?\"?([\w<>$-]+)\"?:\((\S*)\)", line)):
            # Without a class it is this one.
            method["does"].append(((found[1] or klass).strip('"').replace("/", "."), found[2], arity(found[3])))
        elif method and (found := re.search(r"// Field (\S+?)\.(\w+):", line)):
            method["does"].append((found[1].replace("/", "."), found[2], -1))
        elif method and "Annotations:" in line:
            marked_next = False
        elif method and "android.annotation.TargetApi" in line:
            marked_next = True
        elif method and marked_next and (found := re.search(r"value=(\d+)", line)):
            method["mark"], marked_next = int(found[1]), False
    return out, parents


def arity(descriptor):
    return len(re.findall(r"\[*(?:L[^;]+;|[BCDFIJSZ])", descriptor))


def main():
    list_path, allowed_path, minimum, *folders = sys.argv[1:]
    classes = read_list(list_path)
    assert len(classes) > 5000, f"the list has {len(classes)} classes: its form is not what it was"
    allowed = {}
    for line in open(allowed_path, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            member, reason = line.split(":", 1)
            allowed[member.strip()] = reason.strip()
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.class"))
    methods, parents = calls(paths)
    declared = {(klass, one["name"]) for (klass, _), one in methods.items()}
    problems, used, seen = [], set(), 0
    marked = {(klass, one["name"]): one["mark"] for (klass, _), one in methods.items() if one["mark"]}

    def guarded(one, at):
        return any(what[:2] == ("android.os.Build$VERSION", "SDK_INT") for what in one["does"][:at])

    for (klass, head), one in methods.items():
        for at, (owner, name, count) in enumerate(one["does"]):
            mark = marked.get((owner, name))
            if mark and not guarded(one, at) and (one["mark"] or 0) < mark:
                problems.append(f"{klass}: {head} calls {name}, which is for API {mark}, and does not ask for the version")
            # What a class of ours inherits is called by the name of ours.
            while owner in parents and (owner, name) not in declared and count >= 0 and name != "<init>":
                owner = parents[owner]
            if not owner.startswith(ANDROIDS) or owner.startswith("["):
                continue
            if name in OF_OBJECT or owner == "java.lang.Object":
                continue
            seen += 1
            since = version(classes, owner.replace("$", "."), name, count)
            member = f"{owner}.{name}"
            if since is None:
                if member in allowed:
                    used.add(member)
                else:
                    problems.append(f"{klass}: {head} uses {member} with {count} parameters, which is not public")
            elif since > int(minimum):
                used.add(member)
                if member not in allowed:
                    problems.append(f"{klass}: {head} uses {member} of API {since}; {allowed_path} does not say why it may")
                elif allowed[member].startswith("elsewhere: "):
                    pass
                elif not guarded(one, at) and (one["mark"] or 0) < since:
                    problems.append(f"{klass}: {head} uses {member} of API {since} and does not ask for the version")
    problems += [f"{allowed_path}: nothing uses {member}" for member in sorted(set(allowed) - used)]
    for problem in problems:
        print(f"api: error: {problem}")
    assert seen > 500, f"{seen} uses seen: the form of javap's output is not what it was"
    print(f"api: {seen} uses of {len(paths)} classes, {len(used)} of them of newer versions, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
