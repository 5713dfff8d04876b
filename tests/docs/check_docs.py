# SPDX-License-Identifier: Apache-2.0
"""The documentation against the program: nothing left out, no link to nowhere, no command that is not.

Usage: check_docs.py SOURCE ATALAYA
"""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(sys.argv[1])
ATALAYA = sys.argv[2]
REFERENCE = SOURCE / "docs" / "reference"
PROGRAM = "build/app/atalaya"


def atalaya(*args, text=None):
    done = subprocess.run([ATALAYA, *args], capture_output=True, text=True, input=text, timeout=60)
    return done.stdout


def pages():
    return sorted([*SOURCE.glob("*.md"), *(SOURCE / "docs").rglob("*.md")])


def verbs():
    found = re.findall(r"^  ([a-z-]+) +[a-z]", atalaya("--help"), re.M)
    assert "edge" in found and "keys" in found, found
    return found


def options(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def named_in(page, names, pattern="`{}`"):
    text = (REFERENCE / page).read_text(encoding="utf8")
    missing = [n for n in names if pattern.format(n) not in text]
    assert not missing, f"docs/reference/{page} does not name: {', '.join(missing)}"


def every_verb_and_option_is_named():
    named_in("verbs.md", verbs(), "## `{}`")
    text = (REFERENCE / "verbs.md").read_text(encoding="utf8")
    parts = dict(re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    for verb in verbs():
        if verb == "hub":  # its section says: as edge
            continue
        listed = re.findall(r"^  +(?:-\w, )?(--[a-z-]+)", atalaya(verb, "--help"), re.M)
        described = options(parts[verb]) | {"--help", "--config", "--verbose"}
        missing = set(listed) - described
        assert listed, f"{verb} --help lists no option"
        assert not missing, f"docs/reference/verbs.md, {verb}: no {', '.join(sorted(missing))}"


def every_key_has_its_row():
    keys = re.findall(r"^(\S+)", atalaya("check", "--keys"), re.M)
    assert len(keys) > 40, keys
    named_in("configuration.md", keys, "\n| `{}` |")


def no_row_for_a_key_that_is_not():
    text = (REFERENCE / "configuration.md").read_text(encoding="utf8")
    rows = set(re.findall(r"^\| `([a-z_.]+)` \| (?:edge|hub)", text, re.M))
    gone = rows - set(re.findall(r"^(\S+)", atalaya("check", "--keys"), re.M))
    assert not gone, f"docs/reference/configuration.md has rows of no key: {', '.join(gone)}"


def every_column_is_named():
    empty = "d4c3b2a1020004000000000000000000ffff000001000000"
    pcap = subprocess.run([ATALAYA, "flows", "-"], capture_output=True, timeout=60,
                          input=bytes.fromhex(empty), check=True)
    exported = pcap.stdout.decode().strip().split(",")
    source = "".join(path.read_text(encoding="utf8")
                     for path in sorted((SOURCE / "features").glob("*columns_priv.h")))
    columns = re.findall(r'X\(\w+,\s*"(\w+)"', source.replace("\\\n", " "))
    assert len(exported) > 50 and len(columns) > 60, (len(exported), len(columns))
    named_in("features.md", exported + columns)


def every_drop_reason_is_named():
    source = (SOURCE / "dataplane" / "dataplane.h").read_text(encoding="utf8")
    reasons = source[source.index("#define DP_REASONS"):source.index("enum dp_reason")]
    named_in("features.md", re.findall(r'X\(\w+,\s*"(\w+)"', reasons))
    named_in("features.md", re.findall(r"DP_END_\w+ = \d, +/\* \"(\w+)\"", source))


def every_kind_of_alert_is_named():
    source = (SOURCE / "app" / "hint.c").read_text(encoding="utf8")
    kinds = re.findall(r'"(\w+)",\s*"[^"]+",\s*"(?:T[\d.]+)?",\s*\{', source)
    assert len(kinds) > 15 and "anomaly" in kinds, kinds
    named_in("alerts.md", kinds)


def anchors(page):
    """As the usual renderers make them from headings."""
    found = set()
    text = re.sub(r"^    .*$", "", page.read_text(encoding="utf8"), flags=re.M)
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


def links_lead_somewhere():
    wrong = []
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf8")):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                wrong.append(f"{page.relative_to(SOURCE)}: {target}")
    assert not wrong, "; ".join(wrong)


def commands_of_the_readme_exist():
    text = (SOURCE / "README.md").read_text(encoding="utf8")
    found = re.findall(r"(?:^    |`)((?:scripts/|build/app/atalaya )[^`\n]*)", text, re.M)
    assert any(c.startswith("scripts/demo") for c in found), found
    assert any(c.startswith("scripts/test") for c in found), found
    for command in found:
        words = command.split()
        if words[0] == PROGRAM:
            assert words[1] in verbs(), command
            known = atalaya(words[1], "--help")
        else:
            script = SOURCE / words[0]
            assert script.is_file() and script.stat().st_mode & 0o100, command
            known = script.read_text(encoding="utf8")
        for option in options(" ".join(words[1:])):
            assert option in known, f"{command}: {option} is unknown"


def commands_of_other_pages_have_known_options():
    for page in pages():
        text = page.read_text(encoding="utf8").replace("\\\n", " ")
        for line in re.findall(r"^    (?:build/app/)?(atalaya [a-z]+ .*)$", text, re.M):
            words = line.split()
            if words[1] not in verbs():
                continue
            command = line.split(" | ")[0]
            unknown = options(command) - options(atalaya(words[1], "--help")) - {"--help"}
            assert not unknown, f"{page.relative_to(SOURCE)}: {line}: unknown {unknown}"


def main():
    cases = [every_verb_and_option_is_named, every_key_has_its_row, no_row_for_a_key_that_is_not,
             every_column_is_named, every_drop_reason_is_named, every_kind_of_alert_is_named,
             links_lead_somewhere, commands_of_the_readme_exist,
             commands_of_other_pages_have_known_options]
    failed = False
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}")
        except AssertionError as why:
            failed = True
            print(f"not ok {number} - {case.__name__}\n# {why}")
    sys.exit(failed)


main()
