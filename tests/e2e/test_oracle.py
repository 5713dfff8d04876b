# SPDX-License-Identifier: Apache-2.0
"""Every column of `atalaya flows` against an independent computation (oracle.py), on real captures
and on captures whose clock misbehaves."""
import csv
import io
import math
import random
import re
import struct

import oracle
from harness import atalaya, need_captures, need_data, need_tool, run_cases, scratch

EXACT = ("first", "last", "src", "src_port", "dst", "dst_port", "proto", "vlan", "end_reason",
         "packets_fwd", "packets_bwd", "bytes_fwd", "bytes_bwd", "community_id")


def run(path, *options):
    result = atalaya("flows", *options, path)
    # one of them is cut in its last packet, which both readers leave out
    assert result.returncode == 0 or "truncated" in result.stderr, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def our_rows(path):
    rows = run(path)
    # records leave in the same order whatever is written of them
    cic = run(path, "-p", "cic")
    assert len(cic) == len(rows), (path.name, len(cic), len(rows))
    for row, more in zip(rows, cic):
        row["cic"] = more
        for name in ("first", "last"):
            row[name] = oracle.nanoseconds(row[name])
        for name in ("src_port", "dst_port", "proto", "packets_fwd", "packets_bwd", "bytes_fwd",
                     "bytes_bwd"):
            row[name] = int(row[name])
    return rows


def tolerance(name, value, theirs):
    """Seven digits of a float; deviations of gaps come from whole microseconds and from sums that
    cancel, so they are allowed ten microseconds. A gap that is no whole number of microseconds loses
    up to one of them, which moves the variance by at most 2 × longest gap × 1 us."""
    allowed = 2e-6 * abs(value)
    if name.startswith("iat"):
        allowed += 2e-6
    if name.startswith("iat_std"):
        allowed += 1e-5 + 1e-5 * abs(value)
        if not theirs["whole_us"]:
            allowed += math.sqrt(2 * theirs["longest_gap"] * 1e-6)
    if name.startswith("size_std"):
        allowed += 1e-3
    if name == "dns_entropy":
        allowed += 2 / 256  # each name's is rounded down to 1/256 bit, from logarithms of 1/4096
    if name.startswith("dns_") and name.endswith("_share"):
        # beyond 255 of one type the record halves its counts: the older half weighs less
        allowed += 0.05 if theirs["dns_queries"] + theirs["dns_responses"] > 255 else 0
    if re.search(r"_\d+s$", name):
        allowed += 1e-9  # less reads 0
    if "_beat_" in name:
        allowed += 1e-5  # a deviation of nearly equal gaps cancels, as one of nearly equal sizes
    if "_bytes_std_" in name:
        allowed += 1e-6 * theirs[name.replace("_std_", "_mean_")]
    return allowed


# A flow record holds a gap as 32 bits of microseconds: 71 minutes, longer than any timeout, so only
# a capture whose clock leaps gets there.
LONGEST_GAP_S = (2**32 - 1) * 1e-6


SHOWN = {}  # columns of the cic profile: any value but 0 so far
TIMED = ("Flow IAT", "Fwd IAT", "Bwd IAT", "Idle")
CIC_NAMES = ("Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp", "Label")


def beyond_record(name, theirs):
    return theirs["longest_gap"] > LONGEST_GAP_S and name.startswith(("iat_std", "iat_max"))


def cic_tolerance(name, value, theirs):
    """Microseconds. Deviations come from sums that cancel; means from spans that are cut to whole
    microseconds once, not for each gap."""
    allowed = 1e-9 * abs(value) + 1e-6
    if "IAT" in name:
        allowed += 1
    if name.endswith(("Std", "Variance")):
        allowed += 1e-5 * abs(value) + (10 if "Length" not in name else 1e-3)
        if "IAT" in name and not theirs["whole_us"]:
            allowed += math.sqrt(2 * theirs["longest_gap"] * 1e6)
    return allowed


def compare_cic(capture, ours, theirs):
    for name in CIC_NAMES:
        assert ours[name] != "", (capture, name)
    for name, value in theirs["cic"].items():
        if theirs["longest_gap"] > LONGEST_GAP_S and name.startswith(TIMED):
            continue
        found = float(ours[name])
        SHOWN[name] = SHOWN.get(name, False) or found != 0
        assert abs(found - value) <= cic_tolerance(name, value, theirs), \
            f"{capture}: {ours['Flow ID']} {ours['Timestamp']}: {name} {found} != {value}"


def compare(path):
    """@return flows, columns compared, columns that the oracle does not know"""
    ours, theirs = our_rows(path), oracle.assemble(path)

    def order(row):
        return tuple(str(row[k]) for k in ("src", "src_port", "dst", "dst_port", "proto", "vlan",
                                           "first", "last", "packets_fwd", "packets_bwd"))

    exported = list(ours)
    ours.sort(key=order)
    theirs.sort(key=order)
    twins = {id(a): b for a, b in zip(ours, theirs)}
    oracle.context([twins[id(a)] for a in exported if id(a) in twins])
    for a, b in zip(ours, theirs):
        assert order(a) == order(b), f"{path.name}: {order(a)} is not {order(b)}"
        for name in EXACT:
            assert a[name] == b[name], f"{path.name}: {order(a)}: {name} {a[name]} != {b[name]}"
        compare_cic(path.name, a["cic"], b)
        for name in a:
            if name in EXACT + ("tunnel", "tunnel_id", "cic") or name not in b or beyond_record(name, b):
                continue
            value = float(a[name])
            assert abs(value - b[name]) <= tolerance(name, b[name], b), \
                f"{path.name}: {order(a)}: {name} {value} != {b[name]}"
    assert len(ours) == len(theirs), (path.name, len(ours), len(theirs))
    known = {**theirs[0], **theirs[0]["cic"]} if theirs else {}
    named = [*ours[0], *ours[0]["cic"]] if ours else []
    return len(ours), [n for n in named if n not in known and n not in CIC_NAMES]


def every_column_agrees_on_every_capture():
    need_tool("tshark")
    total = 0
    for path in need_captures("benign", "attack", "mixed"):
        flows, _ = compare(path)
        total += flows
    silent = {name for name in SHOWN if not SHOWN[name]} - {"Fwd URG Flags", "Bwd URG Flags",
                                                            "URG Flag Count"}
    assert SHOWN and not silent, f"0 in all captures, so nothing is shown of {silent}"
    print(f"# {total} flows agree in every column")


def no_column_is_without_an_oracle():
    need_tool("tshark")
    _, missing = compare(need_data("benign", "webex.pcap"))
    assert not missing, "no oracle for " + ", ".join(missing)


# --- clocks that misbehave ---


def read_pcap(path):
    data = path.read_bytes()
    magic = struct.unpack("<I", data[:4])[0]
    scale = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
    packets, at = [], 24
    while at < len(data):
        s, part, kept, wire = struct.unpack("<IIII", data[at:at + 16])
        packets.append([s * oracle.S + part * scale, wire, data[at + 16:at + 16 + kept]])
        at += 16 + kept
    return data[20:24], packets


def write_pcap(path, link, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiII", 0xa1b23c4d, 2, 4, 0, 0, 65535) + link)
        for ts, wire, data in packets:
            out.write(struct.pack("<IIII", ts // oracle.S, ts % oracle.S, len(data), wire) + data)


def reordered(packets, chance):
    chance.shuffle(packets)


def duplicated(packets, chance):
    packets[:] = [p for p in packets for _ in range(chance.choice((1, 1, 2, 3)))]


def frozen(packets, _):
    for p in packets:
        p[0] = packets[0][0]


def stepping_back(packets, _):
    for i, p in enumerate(packets):
        p[0] -= i // 500 * 7 * oracle.S


def leaping(packets, chance):
    for p in packets:
        p[0] = chance.randrange(2**31 * oracle.S)


def wandering(packets, chance):
    for p in packets:
        p[0] = (1700000000 + chance.randrange(3600)) * oracle.S


def jittering(packets, chance):
    for p in packets:
        p[0] += chance.randrange(-3000, 3000) * 1001


def never_nan_infinite_or_negative():
    need_tool("tshark")
    chance = random.Random(4)
    with scratch() as folder:
        made = atalaya("traffic", "--out", folder / "base.pcap", "--duration", "20s", "--seed", "7")
        assert made.returncode == 0, made.stderr
        for edit in (reordered, duplicated, frozen, stepping_back, leaping, wandering, jittering):
            link, packets = read_pcap(folder / "base.pcap")
            packets = packets[:6000]
            edit(packets, chance)
            path = folder / f"{edit.__name__}.pcap"
            write_pcap(path, link, packets)
            rows = our_rows(path)
            for row in rows:
                assert 0 <= row["first"] <= row["last"], row
                for name, value in (*row.pop("cic").items(), *row.items()):
                    try:
                        number = float(value)
                    except ValueError:
                        continue
                    assert math.isfinite(number) and number >= 0, (edit.__name__, name, row)
            assert sum(r["packets_fwd"] + r["packets_bwd"] for r in rows) == len(packets)
            if edit is leaping:
                continue  # by years: flows are cut where a record could not hold the leap
            flows, _ = compare(path)
            print(f"# {edit.__name__}: {flows} flows, finite, and as the oracle has them")


if __name__ == "__main__":
    run_cases([every_column_agrees_on_every_capture, no_column_is_without_an_oracle,
               never_nan_infinite_or_negative])
