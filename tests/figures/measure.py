# SPDX-License-Identifier: Apache-2.0
"""AUC and detection rate from scores and labels, by rank alone (Python's standard library only)."""
import csv
import gzip


def ranks(values):
    """Rank of each value from 1, ties sharing their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    out = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for i in order[at:end]:
            out[i] = (at + 1 + end) / 2
        at = end
    return out


def auc(scores, attack):
    """Probability that an attack row scores above a normal one, ties counting half."""
    rank, positives = ranks(scores), sum(attack)
    negatives = len(attack) - positives
    total = sum(r for r, a in zip(rank, attack) if a)
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def detected(scores, attack, false_alarms=0.01):
    """Share of the attack rows above a threshold that at most this share of normal rows passes."""
    normal = sorted((s for s, a in zip(scores, attack) if not a), reverse=True)
    threshold = normal[int(false_alarms * len(normal))]
    found = [s > threshold for s, a in zip(scores, attack) if a]
    return sum(found) / len(found)


def read(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf8") as file:
        return list(csv.reader(file))


def write(path, rows):
    with open(path, "w", newline="", encoding="utf8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
