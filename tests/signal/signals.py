# SPDX-License-Identifier: Apache-2.0
"""Which columns tell each attack from benign traffic: area under the ROC curve, column by column.

Usage: signals.py [--write PAGE]

Rows of `atalaya flows --view flow|host|link` of the attack captures against those of the benign ones.
A column counts in either direction. Every benign capture weighs the same, however long it is, and
hosts are compared in the same role only. Fails when the DNS tunnel, the beacon, the sweep or the
spoofed flood has no column above 0.95. --write puts the table into a page of the documentation.
"""
import bisect
import collections
import csv
import os
import pathlib
import re
import subprocess
import sys

ATALAYA = os.environ["ATALAYA"]
DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", ""))
BENIGN = ("blink-cam-01", "lockly-hub-01", "ultraloq-hub-01", "dns", "1kxun", "netflix", "webex")
INTERVAL = 10
NEEDED = 0.95
BEST = 4
ROWS_MAX = 4000  # of one attack, evenly spaced
FIXED = {"flow": ("first", "last", "src", "src_port", "dst", "dst_port", "proto", "vlan", "tunnel",
                  "tunnel_id", "end_reason", "community_id"),
         "host": ("first", "last", "address", "role"), "link": ("first", "interval")}


# What the attack itself must change, whatever else its capture happens to differ in.
OWN = {
    "spoofed SYN flood": r"sources|entropy_src|syn_share|syn$|unanswered|half_open|failed",
    "HTTPS beacon": r"beacon|period|regular|iat_std",
    "DNS tunnel": r"dns_name|dns_entropy|dns_label|dns_txt|dns_null|dns_cname|dns_unique|dns_other",
    "malware sweep": r"destinations|entropy_dst$|syn|peers|half_open|failed|unanswered",
}


# --- the attacks, as the captures' description labels them ---

def everything(row):
    return True


def between(a, b):
    return lambda row: {row["src"], row["dst"]} == {a, b}


def begun_by(source, *ports):
    return lambda row: row["src"] == source and (not ports or int(row["dst_port"]) in ports)


def labelled(path):
    """Flows that hold a packet marked 1 in the list beside the capture."""
    marks = {}
    for line in path.with_suffix(".labels.csv").read_text(encoding="utf8").splitlines():
        number, _, mark = line.partition(";")
        marks[number] = mark.strip()
    fields = ("frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    times = collections.defaultdict(list)
    for line in out.splitlines():
        number, epoch, src, dst, sport, dport = line.split("\t")
        if marks.get(number) == "1" and src:
            times[frozenset(((src, sport), (dst, dport)))].append(float(epoch))

    def test(row):
        key = frozenset(((row["src"], row["src_port"]), (row["dst"], row["dst_port"])))
        return any(float(row["first"]) - 1e-6 <= t <= float(row["last"]) + 1e-6
                   for t in times.get(key, ()))
    return test


def attacks():
    """name → capture, which flows, which role of a host is looked at, whether it must be told."""
    attack, mixed = DATA / "attack", DATA / "mixed"
    return {
        "spoofed SYN flood": (attack / "synflood-spoofed.pcap", everything, "target", True),
        "SYN scan": (attack / "synscan.pcap", begun_by("172.16.0.8"), "source", False),
        "masscan of 1,000 ports": (attack / "tcp_0_1000_20190821.pcap", everything, "source", False),
        "SSH brute force": (attack / "ssh-bruteforce.pcap", everything, "source", False),
        "HTTPS beacon": (attack / "beacon-https.pcap", between("147.32.80.37", "141.193.213.20"),
                         "source", True),
        "DNS tunnel": (attack / "dns-tunnel-iodine.pcap", everything, "source", True),
        "Modbus scan": (mixed / "modbus-characterization.pcap", labelled, "source", False),
        "Modbus fake command": (mixed / "modbus-fake-command.pcap", labelled, "source", False),
        "malware sweep": (mixed / "iot-malware-sweep.pcap",
                          begun_by("192.168.2.16", 23, 2323, 8080), "source", True),
        "SYN flood with replies": (mixed / "ddos-synflood.pcap", begun_by("172.16.0.5"), "target",
                                   False),
        "spam bot": (mixed / "spambot.pcap", begun_by("192.168.1.222"), "source", False),
    }


# --- rows ---

def rows_of(view, path):
    command = [ATALAYA, "flows", "--view", view]
    if view == "link":
        command += ["--interval", f"{INTERVAL}s"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=300,
                          check=False)
    # 1: the capture is damaged at its end; what stands before is whole
    assert done.returncode in (0, 1) and done.stdout, (path, done.stderr)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    return [row for row in rows if view != "link" or int(row["packets"]) > 0]


def attack_rows(path, marks, role):
    """The rows of each view that the attack has a part in."""
    flows = [row for row in rows_of("flow", path) if marks(row)]
    spans = sorted((int(float(f["first"])) // INTERVAL, int(float(f["last"])) // INTERVAL)
                   for f in flows)
    busy = {i for first, last in spans for i in range(first, last + 1)}
    hosts = {f["src" if role == "source" else "dst"] for f in flows}
    return {
        "flow": flows,
        "host": [r for r in rows_of("host", path) if r["role"] == role and r["address"] in hosts],
        "link": [r for r in rows_of("link", path) if int(float(r["first"])) // INTERVAL in busy],
    }


def columns_of(view, rows):
    return [name for name in rows[0] if name not in FIXED[view]]


# --- the area ---

class Benign:
    """Sorted values of one column with the weight below each: every capture weighs 1."""

    def __init__(self, captures, column):
        pairs = sorted((float(row[column]), 1 / len(rows)) for rows in captures if rows
                       for row in rows)
        self.values = [value for value, _ in pairs]
        self.below = [0.0]
        for _, weight in pairs:
            self.below.append(self.below[-1] + weight)

    def area(self, attack):
        """P(attack > benign) + P(equal) / 2, or its opposite if that is more."""
        total, sum_ = self.below[-1], 0.0
        for value, times in collections.Counter(attack).items():
            low = self.below[bisect.bisect_left(self.values, value)]
            high = self.below[bisect.bisect_right(self.values, value)]
            sum_ += times * (low + high) / 2 / total
        area = sum_ / len(attack)
        return max(area, 1 - area), area >= 0.5


def thin(rows):
    return rows[::-(-len(rows) // ROWS_MAX)] if len(rows) > ROWS_MAX else rows


class Judge:
    def __init__(self):
        self.captures = {view: [rows_of(view, DATA / "benign" / f"{name}.pcap") for name in BENIGN]
                         for view in FIXED}
        self.known = {}

    def benign(self, view, role, column, without=None):
        """@param without  leave this capture out"""
        key = (view, role if view == "host" else "", column, without)
        if key not in self.known:
            captures = [rows for name, rows in zip(BENIGN, self.captures[view]) if name != without]
            if view == "host":
                captures = [[r for r in rows if r["role"] == role] for rows in captures]
            self.known[key] = Benign(captures, column)
        return self.known[key]

    def areas(self, view, role, rows, without=None):
        """[(area, column, higher in the attack)], best first."""
        found = []
        for column in columns_of(view, rows):
            benign = self.benign(view, role, column, without)
            area, more = benign.area([float(r[column]) for r in rows])
            found.append((area, column, more))
        return sorted(found, key=lambda x: (-x[0], x[1]))


    def control(self, role="source"):
        """Each benign capture against the others, as if it were an attack."""
        results = {}
        for i, name in enumerate(BENIGN):
            views = {view: self.captures[view][i] for view in FIXED}
            views["host"] = [r for r in views["host"] if r["role"] == role]
            results[name] = {view: (len(rows), self.areas(view, role, thin(rows), name) if rows else [])
                             for view, rows in views.items()}
        return results


# --- the table ---

def table_lines(results, what):
    yield f"| {what} | view | rows | best columns, area under the curve; ↑ higher and ↓ lower than benign |"
    yield "|---|---|---|---|"
    for name, views in results.items():
        for view, (n, areas) in views.items():
            best = ", ".join(f"`{c}` {a:.3f} {'↑' if more else '↓'}" for a, c, more in areas[:BEST])
            yield f"| {name} | {view} | {n:,} | {best or 'no row'} |"


def column_lines(results):
    """For each view: in how many attacks a column is above 0.9, and its best."""
    for view in FIXED:
        strong = collections.Counter()
        best = collections.defaultdict(float)
        for views in results.values():
            for area, column, _ in views[view][1]:
                strong[column] += area > 0.9
                best[column] = max(best[column], area)
        order = sorted(best, key=lambda c: (-strong[c], -best[c], c))
        yield f"**{view}**: " + ", ".join(f"`{c}` {strong[c]}" for c in order if strong[c]) + "."
        weak = [c for c in order if not strong[c]]
        if weak:
            yield ""
            yield "None: " + ", ".join(f"`{c}` ({best[c]:.2f})" for c in weak) + "."
        yield ""


def put_between(text, name, lines):
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return head + begin + "\n" + "\n".join(lines).strip() + "\n\n" + end + tail


def own_best(name, views):
    """The best of the columns that the attack itself must change."""
    own = [(area, column, view) for view, (_, areas) in views.items() for area, column, _ in areas
           if re.match(OWN[name], column)]
    return max(own, default=(0.5, "none yet", "no view"))


def own_lines(results):
    yield "| attack | column | view | area |"
    yield "|---|---|---|---|"
    for name in OWN:
        area, column, view = own_best(name, results[name])
        yield f"| {name} | `{column}` | {view} | {area:.3f} |"


def write_page(path, results, control):
    text = path.read_text(encoding="utf8")
    text = put_between(text, "attacks", list(table_lines(results, "attack")))
    text = put_between(text, "own", list(own_lines(results)))
    text = put_between(text, "control", list(table_lines(control, "benign capture")))
    text = put_between(text, "columns", list(column_lines(results)))
    path.write_text(text, encoding="utf8")


def main():
    if not (DATA / "benign").exists():
        print("1..0 # SKIP no data; set ATALAYA_DATA")
        return 0
    judge, results, failed = Judge(), {}, 0
    cases = attacks()
    print(f"1..{len(cases)}", flush=True)
    for number, (name, (path, marks, role, needed)) in enumerate(cases.items(), 1):
        if marks is labelled:
            marks = labelled(path)
        views = {view: (len(rows), judge.areas(view, role, thin(rows)) if rows else [])
                 for view, rows in attack_rows(path, marks, role).items()}
        results[name] = views
        best = max((areas[0][:2] + (view,) for view, (_, areas) in views.items() if areas),
                   default=(0, "no row", ""))
        good = best[0] > NEEDED or not needed
        failed += not good
        if name in OWN:
            area, column, view = own_best(name, views)
            print(f"# {name}, by its own mark: {view} {column} {area:.3f}")
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {best[2]} {best[1]} {best[0]:.3f}"
              f"{'' if needed else ' (no aim)'}", flush=True)
    if "--write" in sys.argv:
        page = pathlib.Path(sys.argv[sys.argv.index("--write") + 1])
        write_page(page, results, judge.control())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
