# SPDX-License-Identifier: Apache-2.0
"""simulate on small made tables: the same bits again, also after a kill; faults, attacks, limits."""
import csv
import json
import random
import subprocess
import time

from harness import ATALAYA, run_cases, scratch
from harness import atalaya as program

SITES = ("north", "south", "west", "east")


def atalaya(*args, code=0):
    """@param code  expected, None = any"""
    done = program(*args)
    assert code is None or done.returncode == code, (done.returncode, done.stderr)
    return done


def rows(seed, n, bad=0):
    draw = random.Random(seed)
    for i in range(n):
        site = draw.choice(SITES)
        size = draw.lognormvariate(4 + SITES.index(site), 0.3)
        odd = i < bad
        yield [site, f"{size:.3f}", f"{size * (9 if odd else draw.uniform(1.9, 2.1)):.3f}",
               f"{draw.uniform(0, 1):.4f}", "bad" if odd else "good"]


def write(path, lines):
    with open(path, "w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([["site", "sent", "received", "noise", "label"], *lines])


def config(folder, federation=None, **simulate):
    write(folder / "train.csv", rows(1, 1600, 40))
    write(folder / "test.csv", rows(2, 600, 200))
    fed = {"rounds": 4, "steps": 10, "sample_rate": 0.1, "learning_rate": 0.01} | (federation or {})
    sim = {"header": "true", "label": "label", "column": "site", "partition": "column",
           "alone": 0} | simulate
    text = "role: simulate\nfederation:\n" + "".join(f"  {k}: {v}\n" for k, v in fed.items())
    text += "simulate:\n" + "".join(f"  {k}: {v}\n" for k, v in sim.items())
    text += f"  train:\n    - {folder}/train.csv\n  test:\n    - {folder}/test.csv\n"
    text += "  normal:\n    - good\n"
    if sim["partition"] == "column":
        text += "  groups:\n    - north=north\n    - south=south\n    - far=*\n"
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf8")
    return path


def run(folder, out, federation=None, **simulate):
    done = atalaya("simulate", "-c", config(folder, federation, **simulate), "--out", folder / out)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]["summary"]


def same_bits(a, b):
    for name in ("rounds.jsonl", "summary.json", "model.bin", "config.yaml", "run.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def the_same_seed_gives_the_same_bits(folder):
    lines, summary = run(folder, "a", epsilon=8, dropouts=0.3, canary_rows=64, alone=3)
    run(folder, "b", epsilon=8, dropouts=0.3, canary_rows=64, alone=3)
    same_bits(folder / "a", folder / "b")
    _, other = run(folder, "c", epsilon=8, dropouts=0.3, canary_rows=64, alone=3, seed=2)
    assert other["auc"] != summary["auc"]
    assert [line["round"] for line in lines] == [1, 2, 3, 4], lines
    assert lines == [json.loads(x) for x in (folder / "a/rounds.jsonl").read_text().splitlines()]
    assert 0.5 < summary["auc"]["federated"] <= 1 and 0.5 < summary["auc"]["pooled"] <= 1, summary
    assert 7.9 < summary["epsilon"] <= 8, summary["epsilon"]
    assert summary["worst"]["name"] in ("north", "south", "far"), summary
    assert sum(s["rows"] for s in summary["sites"]) == 1560 - 64
    assert all(s["auc_alone"] is not None for s in summary["sites"])


def a_killed_run_goes_on_to_the_same_bits(folder):
    fed = {"rounds": 12, "steps": 200, "rule": "centred", "optimiser": "adam"}
    run(folder, "whole", fed, epsilon=8)
    kills = 0
    for _ in range(20):
        with subprocess.Popen([ATALAYA, "simulate", "-c", folder / "run.yaml", "--out",
                               folder / "torn"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as child:
            for _ in range(2):
                child.stdout.readline()
            time.sleep(0.02)
            if child.poll() is None:
                kills += 1
            child.kill()
        if (folder / "torn/summary.json").exists():
            break
    if not (folder / "torn/summary.json").exists():
        atalaya("simulate", "-c", folder / "run.yaml", "--out", folder / "torn")
    assert kills > 0
    same_bits(folder / "whole", folder / "torn")


def nothing_of_a_liar_without_numbers_counts(folder):
    for attack, refused in (("nan", 4), ("replay", 4 * 3 - 1)):
        _, summary = run(folder, attack, {"quorum": 1}, private="false", attack=attack,
                         attackers=0.34)
        assert summary["hostile_updates_counted"] == 0, summary
        assert summary["refused"] == refused, (attack, summary["refused"])
        assert summary["commits"] == 4


def the_canary_turns_poison_away(folder):
    fed = {"rounds": 6}
    sim = {"private": "false", "attack": "x10", "attackers": 0.34}
    _, open_door = run(folder, "open", fed, **sim)
    _, guarded = run(folder, "guarded", fed, canary_rows=100, **sim)
    assert open_door["hostile_updates_counted"] == 6 and open_door["spoiled"] == 0
    assert guarded["spoiled"] > 0 and guarded["hostile_updates_counted"] < 6, guarded
    assert guarded["auc"]["federated"] > open_door["auc"]["federated"] + 0.05


def the_late_and_the_gone_are_left_out_but_charged(folder):
    lines, summary = run(folder, "late", {"quorum": 1, "rounds": 2}, epsilon=4, stragglers=0.34)
    assert [line["participants"] for line in lines] == [2, 2], lines
    assert len({s["epsilon"] for s in summary["sites"]}) == 1, summary["sites"]
    lines, _ = run(folder, "slow", {"rounds": 2}, epsilon=4, stragglers=0.34, slowness=5)
    assert [line["participants"] for line in lines] == [3, 3], lines
    lines, _ = run(folder, "lonely", {"quorum": 3, "rounds": 2}, private="false", dropouts=0.34)
    assert [line["state"] for line in lines] == ["abandoned", "abandoned"], lines


def forty_edges_by_chance(folder):
    lines, summary = run(folder, "crowd", {"encoding": "rotated4", "rounds": 2}, epsilon=8,
                         partition="dirichlet", edges=40, alpha=0.3)
    assert summary["edges"] == 40 and lines[-1]["participants"] >= 35, lines
    sizes = sorted(s["rows"] for s in summary["sites"])
    assert sum(sizes) == 1560 and sizes[-1] > 3 * sizes[len(sizes) // 2], sizes


def two_runs_side_by_side(folder):
    run(folder, "plain", private="false")
    run(folder, "private", epsilon=2)
    doc = json.loads(atalaya("simulate", "compare", "--json", folder / "plain",
                             folder / "private").stdout)
    assert doc["epsilon"][0] is None and doc["epsilon"][1] <= 2, doc
    table = atalaya("simulate", "compare", folder / "plain", folder / "private").stdout
    assert "AUC federated" in table and "epsilon" in table and "at delta" in table
    missing = atalaya("simulate", "compare", folder / "plain", folder / "nothing", code=1)
    assert "expected the folder of a finished run" in missing.stderr
    for text in ("[1, 2]", '{"summary": {}}', '{"rounds": "four", "sites": []}'):
        (folder / "plain" / "summary.json").write_text(text)
        other = atalaya("simulate", "compare", folder / "plain", folder / "private", code=1)
        assert "plain/summary.json is of no simulation" in other.stderr, other.stderr


def clear_lines_about_what_is_wrong(folder):
    path = config(folder)
    atalaya("simulate", "-c", path, "--out", folder / "once")
    first = atalaya("simulate", "-c", path, "--out", folder / "table")
    assert "pooled -" in first.stderr and "nan" not in first.stderr, first.stderr
    again = atalaya("simulate", "-c", path, "--out", folder / "once", code=1)
    assert "holds a finished run" in again.stderr
    atalaya("simulate", "-c", path, "--out", folder / "once", "--restart")
    cases = (("far=*", "far=east", "no edge has 'west'"),
             ("far=*", "Far=*", "expected name=word,word"),
             ("rounds: 4", "rounds: 0", "federation.rounds: expected at least 1"),
             ("  normal:\n    - good\n", "", "simulate.normal is missing"),
             ("- good", "- nobody", "no normal rows"),
             ("  alone: 0\n", "  alone: 0\n  epsilon: 0.0001\n", "allow more, or plan fewer"),
             ("column: site", "column: place", "no column 'place'"),
             ("  steps: 10\n", "  steps: 10\n  quorum: 9\n", "the quorum is 9"))
    good = path.read_text()
    for old, new, said in cases:
        path.write_text(good.replace(old, new))
        done = atalaya("simulate", "-c", path, "--out", folder / "bad", "--restart", code=None)
        assert done.returncode in (1, 78) and said in done.stderr, (new, done.stderr)
        assert len(done.stderr.strip().splitlines()) <= 3, done.stderr


def in_a_folder(function):
    def case():
        with scratch() as folder:
            function(folder)
    case.__name__ = function.__name__
    return case


run_cases([in_a_folder(case) for case in (
    the_same_seed_gives_the_same_bits,
    a_killed_run_goes_on_to_the_same_bits,
    nothing_of_a_liar_without_numbers_counts,
    the_canary_turns_poison_away,
    the_late_and_the_gone_are_left_out_but_charged,
    forty_edges_by_chance,
    two_runs_side_by_side,
    clear_lines_about_what_is_wrong,
)])
