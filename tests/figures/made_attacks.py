# SPDX-License-Identifier: Apache-2.0
"""Labelled attacks in made traffic: how often `detect` names the attacker or the victim, and who
else is named. Seeds and sites are arguments, so that a figure can be taken on traffic that nobody
looked at before."""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ATALAYA = os.environ["ATALAYA"]
PROFILES = ["residential", "business", "mobile", "iot"]
ATTACKS = ["horizontal-scan", "vertical-scan", "syn-flood", "udp-flood", "icmp-flood",
           "brute-force", "beacon", "dns-tunnel", "exfiltration"]


def run(*args):
    return subprocess.run([ATALAYA, *map(str, args)], check=True, capture_output=True, text=True,
                          timeout=600).stdout


def detect(*args):
    return [json.loads(line) for line in run("detect", "--quiet", *args).splitlines()]


def parties(labels):
    """Addresses of attackers and victims; forged ones are a range or empty."""
    named = set()
    with open(labels, encoding="utf8") as f:
        for row in csv.DictReader(f):
            named |= {row["attacker"], row["victim"]}
    return named


def one(folder, profile, site, seed, attack, model):
    capture, labels = folder / "made.pcap", folder / "labels.csv"
    run("traffic", "--profile", profile, "--site", site, "--seed", seed, "--duration", "10m",
        "--rate", 40, "--snap", 128, "--attack", f"{attack}@5m+120s", "--labels", labels, "--out",
        capture)
    alerts = detect(*(["--model", model] if model else []), capture)
    named = parties(labels)
    hits = [a for a in alerts if a["atalaya"]["entity"] in named]
    return {a["atalaya"]["kind"] for a in hits}, len(alerts) - len(hits)


def baseline(folder, profile, site, seed):
    capture, model = folder / "base.pcap", folder / "model"
    run("traffic", "--profile", profile, "--site", site, "--seed", seed, "--duration", "20m",
        "--rate", 40, "--snap", 128, "--out", capture)
    run("detect", "--quiet", "--baseline", capture, "--save-model", model, capture)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[8])
    parser.add_argument("--site", type=int, default=2)
    parser.add_argument("--baseline", action="store_true", help="learn 20 minutes of the site first")
    args = parser.parse_args()
    found = {attack: [] for attack in ATTACKS}
    strangers = 0
    for profile in PROFILES:
        for seed in args.seeds:
            with tempfile.TemporaryDirectory(prefix="atalaya-made-") as name:
                folder = pathlib.Path(name)
                model = baseline(folder, profile, args.site, seed + 1000) if args.baseline else None
                for attack in ATTACKS:
                    kinds, others = one(folder, profile, args.site, seed, attack, model)
                    found[attack].append((profile, kinds))
                    strangers += others
    runs = len(PROFILES) * len(args.seeds)
    for attack, results in found.items():
        kinds = sorted(set().union(*(k for _, k in results)))
        missed = sorted({p for p, k in results if not k})
        print(f"{attack:16} {sum(bool(k) for _, k in results)} of {runs}  {', '.join(kinds)}"
              f"{'  missed: ' + ', '.join(missed) if missed else ''}")
    print(f"alerts about anyone else: {strangers} in {runs * len(ATTACKS) * 10} minutes of traffic")


if __name__ == "__main__":
    sys.exit(main())
