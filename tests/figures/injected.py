#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Injected changes in real traffic series: row AUC of `atalaya forecast` beside trivial baselines.

The 24 busiest origin-destination pairs of Abilene, 17 days of five-minute volumes each. Into the
last ten days of each go 12 spikes and 12 drops of one row, 4 to 8 times the usual distance from the
rolling median (so the yardstick is the first baseline's own). All other rows are negatives, the
series' own, unlabelled oddities among them.
Baselines: distance from the median of the last 60 values in their median absolute deviations, and
the same of this time of day over the days before.
"""
import csv
import datetime
import gzip
import io
import os
import pathlib
import random
import statistics
import subprocess

DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", "")) / "series" / "abilene_od.csv.gz"
ATALAYA = os.environ["ATALAYA"]
PAIRS, DAY, LEARN, EACH = 24, 288, 7 * 288, 12
FLOOR = 0.93  # a guard against getting worse; the rolling median is not reached


def auc(scores, positives):
    """Mann-Whitney, ties counted half."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    rank_sum, at = 0.0, 0
    while at < len(order):
        end = at
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        rank_sum += (at + end + 1) / 2 * sum(order[i] in positives for i in range(at, end))
        at = end
    found = len(positives)
    return (rank_sum - found * (found + 1) / 2) / (found * (len(scores) - found))


def robust_distance(value, past):
    if len(past) < 3:
        return 0.0
    middle = statistics.median(past)
    spread = statistics.median(abs(p - middle) for p in past)
    return abs(value - middle) / (spread + 1e-3 * abs(middle) + 1e-12)


def rolling(values, row):
    return robust_distance(values[row], values[max(0, row - 60):row])


def seasonal(values, row):
    return robust_distance(values[row], values[row % DAY:row:DAY][-7:])


def inject(values, rng):
    values, rows = list(values), set()
    for row in rng.sample(range(LEARN, len(values)), 2 * EACH):
        past = values[row - 60:row]
        middle = statistics.median(past)
        spread = statistics.median(abs(p - middle) for p in past) or 0.05 * middle
        move = rng.uniform(4, 8) * 1.4826 * spread
        up = len(rows) % 2 == 0 or middle <= move
        values[row] = middle + move if up else middle - move
        rows.add(row)
    return values, rows


def forecast(stamps, values):
    text = "".join(f"{s},{v!r}\n" for s, v in zip(stamps, values))
    result = subprocess.run([ATALAYA, "forecast", "--csv", "-"], input=text, capture_output=True,
                            text=True, timeout=120, check=True)
    return [float(line.rsplit(",", 1)[1]) for line in result.stdout.splitlines()[1:]]


def main():
    if not DATA.is_file():
        print(f"1..0 # SKIP no data at {DATA}; set ATALAYA_DATA")
        return
    rows = list(csv.reader(io.StringIO(gzip.decompress(DATA.read_bytes()).decode())))[1:]
    rows = [row for row in rows if len(row[0]) == 12 and row[0].isdigit()]
    stamps = [datetime.datetime.strptime(row[0], "%Y%m%d%H%M").isoformat(" ") for row in rows]
    columns = [[float(v) for v in column] for column in list(zip(*rows))[1:]]
    columns.sort(key=sum, reverse=True)
    rng, totals = random.Random(1), {"atalaya": [], "rolling median": [], "same time of day": []}
    for column in columns[:PAIRS]:
        values, changed = inject(column, rng)
        positives = {row - LEARN for row in changed}
        judged = range(LEARN, len(values))
        totals["atalaya"].append(auc(forecast(stamps, values)[LEARN:], positives))
        for name, judge in (("rolling median", rolling), ("same time of day", seasonal)):
            totals[name].append(auc([judge(values, row) for row in judged], positives))
    mean = {name: statistics.mean(values) for name, values in totals.items()}
    print("1..1")
    print(f"# {PAIRS} series of {len(rows)} rows, {2 * EACH} changed rows in each")
    for name, value in mean.items():
        print(f"# {name}: mean AUC {value:.3f}")
    print(f"{'ok' if mean['atalaya'] >= FLOOR else 'not ok'} 1 - mean AUC not below {FLOOR}")


main()
