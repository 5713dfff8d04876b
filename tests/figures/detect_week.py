# SPDX-License-Identifier: Apache-2.0
"""Attacks dropped into the fourth day of real quiet weeks: who is named, how soon, who else is.

For each seven-day capture of one device: learn on days one and two, judge days three to seven with
one attack capture shifted to noon of day four. Beside it stands a trivial detector: packets (and
flows) a minute of one address above the most seen in the first two days.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ATALAYA = os.environ["ATALAYA"]
DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", ""))
DAY_S = 86400
WEEKS = ["lockly-hub-01", "blink-cam-01", "ultraloq-hub-01"]
# capture: (who must be named, who else takes part in the attack), from the collections' own notes
ATTACKS = {
    "attack/synflood-spoofed": ({"10.10.10.10"}, set()),
    "attack/synscan": ({"172.16.0.8"}, {"64.13.134.52"}),
    "attack/tcp_0_1000_20190821": ({"172.31.15.102"}, {"198.124.152.15"}),
    "attack/ssh-bruteforce": ({"147.32.80.40"}, {"147.32.80.37"}),
    "attack/beacon-https": ({"147.32.80.37"}, {"141.193.213.20"}),
    "attack/dns-tunnel-iodine": ({"192.168.117.128"}, {"198.46.158.57"}),
    "mixed/ddos-synflood": ({"172.16.0.5"}, {"192.168.50.1", "192.168.50.4"}),
    "mixed/iot-malware-sweep": ({"192.168.2.16"}, set()),
    "mixed/modbus-characterization": ({"192.168.1.101"}, {"192.168.1.104"}),
    "mixed/modbus-fake-command": ({"192.168.1.101"}, {"192.168.1.102"}),
    "mixed/spambot": ({"192.168.1.222"}, set()),
}


def tool(*args):
    """Wireshark's tools end with an error on a capture cut in its last packet, after their work."""
    env = {"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(a) for a in args], env=env, capture_output=True, text=True)
    if done.returncode != 0 and "cut short" not in done.stderr:
        sys.exit(f"{args[0]}: {done.stderr.strip()}")
    return done.stdout


def span(path):
    first, last = tool("capinfos", "-rTMaeS", path).split("\t")[1:3]
    return float(first), float(last)


def cut(path, out, begin, end):
    tool("editcap", "-F", "pcap", "-A", f"{begin:.6f}", "-B", f"{end:.6f}", path, out)


def mix(rest, attack, noon, folder):
    """The quiet days with the attack in them; when the attack begins and ends."""
    first, last = span(attack)
    shifted, mixed = folder / "shifted.pcap", folder / "mixed.pcap"
    tool("editcap", "-F", "pcap", "-t", f"{noon - first:.6f}", attack, shifted)
    tool("mergecap", "-F", "pcap", "-w", mixed, rest, shifted)
    return mixed, noon, noon + last - first


def detect(model, path):
    out = subprocess.run([ATALAYA, "detect", "--quiet", "--model", str(model), str(path)],
                         check=True, capture_output=True, text=True, timeout=600).stdout
    return [json.loads(line) for line in out.splitlines()]


def learn(week, model, quiet):
    subprocess.run([ATALAYA, "detect", "--quiet", "--baseline", str(week), "--save-model",
                    str(model), str(quiet)], check=True, capture_output=True, timeout=600)


def seconds(alert):
    stamp = alert["timestamp"].replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(stamp).timestamp()


def judge(alerts, named, partners, begin):
    """Minutes to the first alert on one who must be named (None: missed), alerts on strangers."""
    alerts = [a for a in alerts if a["atalaya"]["role"] != "link"]  # names nobody
    hits = [a for a in alerts if a["atalaya"]["entity"] in named]
    strangers = [a for a in alerts if a["atalaya"]["entity"] not in named | partners]
    minutes = min(((seconds(a) - begin) / 60 for a in hits), default=None)
    return minutes, [a["alert"]["signature"] for a in hits], strangers


def link(alerts):
    """What was said of the link as a whole: neither a hit nor a false alert."""
    said = [a["atalaya"]["hint"] for a in alerts if a["atalaya"]["role"] == "link"]
    return f"link {len(said)}" + (f" ({said[0]})" if said else "")


def rates(path):
    """(address, minute) -> packets sent or received; the same for new conversations."""
    packets, flows, seen = {}, {}, set()
    fields = tool("tshark", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src",
                  "-e", "ip.dst", "-e", "tcp.stream", "-e", "udp.stream", "-o", "ip.defragment:FALSE")
    for line in fields.splitlines():
        stamp, src, dst, tcp, udp = line.split("\t")
        minute = int(float(stamp) // 60)
        ends = (src.split(",")[0], dst.split(",")[0])
        for end in ends:
            packets[end, minute] = packets.get((end, minute), 0) + 1
        if (tcp, udp) != ("", "") and (tcp, udp) not in seen:
            seen.add((tcp, udp))
            for end in ends:
                flows[end, minute] = flows.get((end, minute), 0) + 1
    return packets, flows


def trivial(learned, judged, named, partners):
    """Was one to be named over the limit, and how many strangers' minutes were?"""
    limit = max(learned.values(), default=0)
    over = [who for (who, _), n in judged.items() if n > limit]
    return bool(named & set(over)), sum(1 for who in over if who not in named | partners)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--week", action="append", help="only this capture (may be repeated)")
    parser.add_argument("--attack", action="append", help="only attacks with this in their name")
    parser.add_argument("--no-trivial", action="store_true", help="leave the simple detectors out")
    parser.add_argument("--verbose", action="store_true", help="name strangers' alerts")
    args = parser.parse_args()
    if not (DATA / "benign").is_dir():
        print(f"skipped: no data at {DATA}; set ATALAYA_DATA")
        return 77
    missed = false_max = 0
    for week in args.week or WEEKS:
        with tempfile.TemporaryDirectory(prefix="atalaya-week-") as folder:
            m, f = one_week(week, pathlib.Path(folder), args)
            missed += m
            false_max = max(false_max, f)
    print(f"missed {missed}, most alerts on others a day {false_max:.2f}")
    return 0 if missed == 0 and false_max <= 1 else 1


def one_week(week, folder, args):
    path = DATA / "benign" / f"{week}.pcap"
    first, last = span(path)
    learned, rest, model = folder / "learned.pcap", folder / "rest.pcap", folder / "model"
    cut(path, learned, first - 1, first + 2 * DAY_S)
    cut(path, rest, first + 2 * DAY_S, last + 1)
    learn(learned, model, rest)
    days = (last - first) / DAY_S - 2
    quiet = detect(model, rest)
    print(f"{week}: {len(quiet)} false alerts in {days:.1f} days ({len(quiet) / days:.2f} a day)")
    for alert in quiet if args.verbose else []:
        print("   ", alert["timestamp"], alert["alert"]["signature"])
    before = None if args.no_trivial else rates(learned)
    missed, worst = 0, len(quiet) / days
    for attack, (named, partners) in ATTACKS.items():
        if args.attack and not any(word in attack for word in args.attack):
            continue
        mixed, begin, _ = mix(rest, DATA / f"{attack}.pcap", first + 3.5 * DAY_S, folder)
        found = detect(model, mixed)
        minutes, kinds, strangers = judge(found, named, partners, begin)
        missed += minutes is None
        worst = max(worst, len(strangers) / days)
        row = f"  {attack:30} {'missed' if minutes is None else f'{minutes:6.1f} min'}" \
              f"  others {len(strangers)}  {link(found)}"
        if before is not None:
            after = rates(mixed)
            row += "  trivial packets %s/%d flows %s/%d" % tuple(
                x for k in (0, 1) for x in trivial(before[k], after[k], named, partners))
        print(row, "; ".join(sorted(set(kinds))), flush=True)
        for alert in strangers if args.verbose else []:
            print("     ", alert["timestamp"], alert["alert"]["signature"])
    return missed, worst


sys.exit(main())
