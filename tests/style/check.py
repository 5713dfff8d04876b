# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can check. Usage: check.py SOURCE BUILD"""
import pathlib
import re
import subprocess
import sys

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])

# room: (symbol prefix, rooms it may include)
ROOMS = {
    "base": ("atl_", []),
    "bus": ("bus_", ["base"]),
    "dataplane": ("dp_", ["base"]),
    "features": ("feat_", ["base", "dataplane"]),
    "privacy": ("priv_", ["base"]),
    "learner": ("learn_", ["base", "privacy"]),
    "fedsync": ("fed_", ["base", "bus", "privacy", "learner"]),
    "alerts": ("alert_", ["base", "bus"]),
    "traffic": ("traf_", ["base"]),
    "app": (None, ["base", "bus", "dataplane", "features", "privacy", "learner", "fedsync", "alerts",
                   "traffic"]),
}
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|rand|srand|alloca)"
                    r"\s*\(")


def sources(*folders):
    return sorted(p for f in folders for p in (SOURCE / f).rglob("*.[ch]"))


def includes_point_left():
    for room, (_, allowed) in ROOMS.items():
        for path in sources(room):
            for target in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
                other, _, name = target.partition("/")
                if other not in ROOMS:
                    continue
                where = f"{path.relative_to(SOURCE)}: #include \"{target}\""
                assert other == room or other in allowed, f"{where}: wrong arrow"
                assert other == room or name == f"{other}.h", f"{where}: private header"


def symbols(archive):
    out = subprocess.run(["nm", "-g", "--defined-only", str(archive)], capture_output=True,
                         text=True, check=True).stdout
    return [line.split()[1:3] for line in out.splitlines() if len(line.split()) == 3]


def symbols_carry_their_room():
    for room, (prefix, _) in ROOMS.items():
        archives = list((BUILD / room).glob("lib*.a")) if prefix else []
        for archive in archives:
            for kind, name in symbols(archive):
                if name.startswith(("__asan", "__odr_asan", "__ubsan", "_GLOBAL")):
                    continue
                assert name.startswith(prefix), f"{archive.name}: {name} has no prefix {prefix}"
                assert kind not in "BDC", f"{archive.name}: {name} is a global variable"


def no_banned_functions():
    for path in sources(*ROOMS, "tests"):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)
        found = BANNED.search(code)
        assert not found, f"{path.relative_to(SOURCE)}: {found.group(1)} is banned"


def texts_are_clean():
    listed = subprocess.run(["git", "-C", str(SOURCE), "ls-files"], capture_output=True, text=True)
    if listed.returncode != 0:
        return "SKIP no git checkout"
    for name in listed.stdout.splitlines():
        path = SOURCE / name
        if path.suffix in (".png", ".tsv") or name == "LICENSE" or not path.is_file():
            continue
        text = path.read_bytes()
        assert text == b"" or text.endswith(b"\n"), f"{name}: no newline at its end"
        if path.suffix in (".c", ".h", ".py", ".mjs", ".js", ".jsx", ".build", ".yaml"):
            assert b"\t" not in text, f"{name}: tab"
            assert not re.search(rb"[ \t]+\n", text), f"{name}: blank at the end of a line"
            assert b"SPDX-License-Identifier: Apache-2.0" in text[:200] or \
                path.suffix == ".yaml", f"{name}: no SPDX line"


def code_is_formatted():
    try:
        subprocess.run(["clang-format", "--version"], capture_output=True, check=True)
    except OSError:
        return "SKIP clang-format is not installed"
    out = subprocess.run(["clang-format", "--dry-run", *map(str, sources(*ROOMS, "tests"))],
                         capture_output=True, text=True, check=False).stderr
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", out, re.M)))
    assert not bad, f"not as clang-format writes it: {', '.join(bad[:5])}"
    return None


def main():
    checks = [includes_point_left, symbols_carry_their_room, no_banned_functions, texts_are_clean,
              code_is_formatted]
    failed = False
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        try:
            note = check()
            print(f"ok {number} - {check.__name__}{' # ' + note if note else ''}")
        except AssertionError as why:
            failed = True
            print(f"not ok {number} - {check.__name__}\n# {why}")
    sys.exit(failed)


main()
