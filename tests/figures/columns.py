# SPDX-License-Identifier: Apache-2.0
"""Which columns of the flow view tell an attack's flows from benign ones: AUC per column and attack.

Rows of the benign captures (at most 1,500 of each) against rows of the attack, by rank. 1 or 0 is
told apart without error, 0.5 not at all; 0.2 is as good as 0.8, for a column may be low.
"""
import argparse
import bisect
import csv
import io
import os
import pathlib
import random
import subprocess
import sys

ATALAYA = os.environ["ATALAYA"]
DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", ""))
ROWS = 1500
# name: capture, the attack's rows; from the collections' own notes
ATTACKS = {
    "flood": ("attack/synflood-spoofed", lambda r: r["dst"] == "10.10.10.10"),
    "scan": ("attack/synscan", lambda r: r["src"] == "172.16.0.8"),
    "masscan": ("attack/tcp_0_1000_20190821", lambda r: r["src"] == "172.31.15.102"),
    "brute": ("attack/ssh-bruteforce", lambda r: True),
    "beacon": ("attack/beacon-https", lambda r: r["dst_port"] == "443"),
    "tunnel": ("attack/dns-tunnel-iodine", lambda r: r["dst_port"] == "53"),
    "sweep": ("mixed/iot-malware-sweep", lambda r: r["src"] == "192.168.2.16" and
              r["dst_port"] in ("23", "2323", "8080")),
    "ddos": ("mixed/ddos-synflood", lambda r: r["src"] == "172.16.0.5"),
    "spam": ("mixed/spambot", lambda r: r["src"] == "192.168.1.222" and r["dst_port"] == "25"),
}
FIXED = {"first", "last", "src", "src_port", "dst", "dst_port", "proto", "vlan", "tunnel",
         "tunnel_id", "end_reason", "community_id"}


def rows(path, wanted=lambda r: True):
    out = subprocess.run([ATALAYA, "flows", str(path)], capture_output=True, text=True).stdout
    found = [r for r in csv.DictReader(io.StringIO(out)) if wanted(r)]
    random.Random(1).shuffle(found)
    return found[:ROWS]


def auc(values, normal):
    """Share of pairs in which the attack's value is the larger; a tie is half a pair."""
    below = sum(bisect.bisect_left(normal, v) + bisect.bisect_right(normal, v) for v in values)
    return below / (2 * len(values) * len(normal))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="every column, not the best of each attack")
    args = parser.parse_args()
    if not (DATA / "benign").is_dir():
        print(f"skipped: no data at {DATA}; set ATALAYA_DATA")
        return 77
    benign = [r for p in sorted((DATA / "benign").glob("*.pcap")) for r in rows(p)]
    attacks = {name: rows(DATA / f"{path}.pcap", wanted)
               for name, (path, wanted) in ATTACKS.items()}
    table = {}
    for column in [c for c in benign[0] if c not in FIXED]:
        normal = sorted(float(r[column]) for r in benign)
        table[column] = {name: auc([float(r[column]) for r in found], normal)
                         for name, found in attacks.items()}

    def strength(column, name):
        return abs(table[column][name] - 0.5)

    shown = list(table) if args.all else []
    for name in attacks if not args.all else ():
        best = sorted(table, key=lambda c: -strength(c, name))[:3]
        shown += [c for c in best if c not in shown]
    print(f"{'':26}", *(f"{name:>8}" for name in attacks))
    print(f"{'rows':26}", *(f"{len(found):8}" for found in attacks.values()))
    for column in shown:
        print(f"{column:26}", *(f"{table[column][name]:8.3f}" for name in attacks))
    dull = [n for n in attacks if max(strength(c, n) for c in table) <= 0.45]
    if dull:
        print("no column above 0.95 for", ", ".join(dull))
    return 1 if dull else 0


sys.exit(main())
