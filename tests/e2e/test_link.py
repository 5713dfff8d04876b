# SPDX-License-Identifier: Apache-2.0
"""The link view against tshark: packets, bytes and messages of each second, and recomputed sketches."""
import collections
import csv
import io
import json
import math
import struct
import subprocess
import time

from harness import (ATALAYA, Process, atalaya, need_captures, need_data, need_tool, run_cases, scratch,
                     wait_until)

MASK = (1 << 64) - 1


def rows_of(path, interval="1s", *more):
    done = atalaya("flows", "--view", "link", "--interval", interval, *more, path)
    assert done.returncode in (0, 1), done
    return list(csv.DictReader(io.StringIO(done.stdout)))


def tshark(path, *fields, only=""):
    need_tool("tshark")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a"]
    for field in fields:
        command += ["-e", field]
    if only:
        command += ["-Y", only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return [line.split("\t") for line in done.stdout.splitlines()]


# --- packets and bytes ---

def by_tshark(path):
    """Second → [packets, bytes]. The clock is the latest time seen, as ours is."""
    seconds, now = collections.defaultdict(lambda: [0, 0]), 0
    for epoch, length in tshark(path, "frame.time_epoch", "frame.len"):
        now = max(now, int(epoch.split(".")[0]))
        seconds[now][0] += 1
        seconds[now][1] += int(length)
    return seconds


def packets_and_bytes_of_each_second_are_tsharks():
    compared = 0
    for path in need_captures("attack", "benign", "mixed", "telecom", "encap"):
        theirs = by_tshark(path)
        for interval, length in (("1s", 1), ("10s", 10), ("60s", 60)):
            expected = collections.defaultdict(lambda: [0, 0])
            for second, (packets, size) in theirs.items():
                expected[second - second % length][0] += packets
                expected[second - second % length][1] += size
            ours = {int(r["first"].split(".")[0]): [int(r["packets"]), int(r["bytes"])]
                    for r in rows_of(path, interval)}
            for at, want in expected.items():
                assert ours.pop(at) == want, (path, interval, at)
            assert not any(packets for packets, _ in ours.values()), (path, interval)
            compared += len(expected)
    print(f"# {compared} rows compared")


def totals_are_those_of_tsharks_io_stat():
    """The tool's own sums: -z io,stat over everything."""
    need_tool("tshark")
    for name in ("attack/synscan.pcap", "benign/webex.pcap", "mixed/iot-malware-sweep.pcap"):
        path = need_data(*name.split("/"))
        done = subprocess.run(["tshark", "-n", "-q", "-r", path, "-z", "io,stat,0,tcp,udp,icmp || icmpv6"],
                              capture_output=True, text=True, timeout=120, check=True)
        line = [x for x in done.stdout.splitlines() if "<>" in x][-1]
        cells = [int(x) for x in line.replace("|", " ").split() if x.isdigit()]
        ours = rows_of(path, "60s")
        total = {c: sum(float(r[c]) for r in ours) for c in ("tcp", "udp", "icmp")}
        # an ICMP error counts as TCP or UDP, too, in tshark: it looks at what it carries
        assert total["icmp"] == cells[-2], (name, total, line)
        assert cells[-6] - cells[-2] <= total["tcp"] <= cells[-6], (name, total, line)
        assert cells[-4] - cells[-2] <= total["udp"] <= cells[-4], (name, total, line)


def every_packet_is_in_some_row():
    """Also of hostile captures; and no value is odd."""
    for path in need_captures("malformed"):
        done = atalaya("flows", "--json", "--format", "none", path)
        files = json.loads(done.stderr.splitlines()[0])["files"]
        ours = rows_of(path, "1s")
        read = files[0]["packets"] if files else 0
        assert sum(int(r["packets"]) for r in ours) == read, path
        for row in ours:
            for name, value in row.items():
                assert math.isfinite(float(value)) and float(value) >= 0, (path, name, value)


# --- flags ---

def flags_are_tsharks():
    tests = {"syn": lambda f: f & 0x12 == 2, "syn_ack": lambda f: f & 0x12 == 0x12,
             "rst": lambda f: f & 4, "fin": lambda f: f & 1}
    for name in ("attack/ssh-bruteforce.pcap", "mixed/iot-malware-sweep.pcap", "benign/webex.pcap",
                 "mixed/ddos-synflood.pcap"):
        path = need_data(*name.split("/"))
        flags = [int(x[0], 16) for x in tshark(path, "tcp.flags", only="tcp && !icmp")]
        ours = rows_of(path, "60s")
        for column, test in tests.items():
            want = sum(1 for f in flags if test(f))
            got = sum(int(float(r[column])) for r in ours)
            assert got == want, (name, column, got, want)


# --- telecom ---

TELECOM = {  # column: tshark filter, field; None: a packet with the protocol is a message
    "gtp_c.pcap": {"gtpc": ("gtpv2", "gtpv2.message_type")},
    "gtp-u.pcap": {"gtpu": ("gtp && udp.port == 2152", "gtp.message")},
    "ipv6_in_gtp.pcap": {"gtpu": ("gtp && udp.port == 2152", "gtp.message")},
    "pfcp.pcapng": {"pfcp": ("pfcp", "pfcp.msg_type")},
    "diameter.pcap": {"diameter": ("diameter", "diameter.cmd.code")},
    "ngap-fuzz.pcapng": {"ngap": ("ngap", "ngap.procedureCode")},
}


def messages(path, only, field):
    return sum(len(x[0].split(",")) for x in tshark(path, field, only=only) if x[0])


def telecom_messages_are_tsharks():
    for name, columns in TELECOM.items():
        path = need_data("telecom", name)
        ours = rows_of(path, "60s")
        for column, (only, field) in columns.items():
            want, got = messages(path, only, field), sum(int(float(r[column])) for r in ours)
            print(f"# {name}: {column} {got}, tshark {want}")
            assert got == want > 0, (name, column, got, want)
            others = {c for c in ("gtpc", "gtpu", "pfcp", "diameter", "ngap")} - {column}
            assert not any(float(r[c]) for r in ours for c in others), (name, column)


def frame(proto, transport):
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), 1, 0, 64, proto, 0)
    return bytes(12) + b"\x08\x00" + ip + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + transport


def udp(port, data):
    return frame(17, struct.pack(">HHHH", port, port, 8 + len(data), 0) + data)


def gtpv2(kind, cause):
    element = struct.pack(">BHBBB", 2, 2, 0, cause, 0)
    return udp(2123, struct.pack(">BBHII", 0x48, kind, 14, 7, 1 << 8) + element)


def pfcp(kind, cause):
    return udp(8805, struct.pack(">BBHIHHB", 0x20, kind, 9, 1 << 8, 19, 1, cause))


def diameter(nth, result):
    avps = struct.pack(">IBBHI", 268, 0x40, 0, 12, result) + struct.pack(">IBBH4s", 264, 0x40, 0, 12,
                                                                        b"host")
    header = struct.pack(">IIIII", 1 << 24 | (20 + len(avps)), 316, 16777251, 1, 2)
    tcp = struct.pack(">HHIIBBHHH", 3868, 3868, 1 + 44 * nth, 1, 0x50, 0x18, 1000, 0, 0)
    return frame(6, tcp + header + avps)


def ngap(choice, procedure):
    pdu = bytes([choice << 5, procedure, 0, 4, 0, 0, 0, 0])
    chunk = struct.pack(">BBHIHHI", 0, 3, 16 + len(pdu), 1, 0, 0, 60) + pdu
    return frame(132, struct.pack(">HHII", 38412, 38412, 0, 0) + chunk)


def write_refusals(path):
    """Of each protocol some answers that refuse among some that do not."""
    frames = [gtpv2(33, 16), gtpv2(33, 64), gtpv2(35, 73), pfcp(6, 1), pfcp(6, 64), pfcp(51, 69),
              pfcp(53, 77), diameter(0, 2001), diameter(1, 3004), diameter(2, 5012), ngap(0, 21),
              ngap(1, 21), ngap(2, 21), ngap(2, 14),
              udp(2152, struct.pack(">BBHIHBB", 0x32, 26, 4, 0, 1, 0, 0)),
              udp(2152, struct.pack(">BBHIHBB", 0x32, 1, 4, 0, 1, 0, 0))]
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, data in enumerate(frames):
            out.write(struct.pack("<IIII", 1000 + i, 0, len(data), len(data)) + data)


def telecom_errors_are_tsharks():
    with scratch() as folder:
        refusals = folder / "refusals.pcap"
        write_refusals(refusals)
        found = {column: errors_of(refusals, column) for column in ERRORS}
    assert all(found.values()), found
    for name in TELECOM:
        for column in ERRORS:
            errors_of(need_data("telecom", name), column)


ERRORS = {  # column: field, which values refuse
    "gtpc_errors": ("gtpv2.cause", lambda v: v >= 64),
    "gtpu_errors": ("gtp.message", lambda v: v == 26),
    "pfcp_errors": ("pfcp.cause", lambda v: v >= 64),
    "diameter_errors": ("diameter.Result-Code", lambda v: v >= 3000),
    "ngap_errors": ("ngap.NGAP_PDU", lambda v: v == 2),
}


def errors_of(path, column):
    field, refuses = ERRORS[column]
    said = [int(v, 0) for x in tshark(path, field) if x[0] for v in x[0].split(",")]
    want = sum(1 for v in said if refuses(v))
    got = sum(int(float(r[column])) for r in rows_of(path, "60s"))
    assert got == want, (path, column, got, want)
    return got


# --- DNS ---

def dns_is_tsharks():
    path = need_data("benign", "dns.pcap")
    responses = tshark(path, "dns.flags.response", "dns.flags.rcode", only="dns && udp.port == 53")
    ours = rows_of(path, "60s")
    queries = sum(1 for r in responses if r[0] in ("0", "False"))
    errors = sum(1 for r in responses if r[1] not in ("", "0"))
    got = [sum(int(float(r[c])) for r in ours) for c in ("dns_queries", "dns_errors")]
    print(f"# queries {got[0]} ({queries}), errors {got[1]} ({errors})")
    assert got == [queries, errors]


# --- sketches, recomputed ---

def siphash13(k0, k1, data):
    """Aumasson & Bernstein 2012 with one and three rounds."""
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
         k1 ^ 0x7465646279746573]

    def turn(x, n):
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[i:i + 8], "little") for i in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:].ljust(7, b"\0") + bytes([len(data) & 255]), "little"))
    for word in words:
        v[3] ^= word
        rounds(1)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(3)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def entropy(counts):
    n = sum(counts)
    return -sum(c / n * math.log2(c / n) for c in counts if c) if n else 0


def mapped(text):
    return bytes(10) + b"\xff\xff" + bytes(int(x) for x in text.split("."))


def begun(path):
    """(second, source, destination, port) of each SYN that is the first of its flow."""
    last = {}
    fields = ("frame.time_epoch", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags")
    for epoch, src, dst, sport, dport, flags in tshark(path, *fields, only="tcp && !icmp"):
        when = float(epoch)
        if int(flags, 16) & 0x12 == 2:
            key = (src, dst, sport, dport)
            # an unanswered one is over after five seconds
            if key not in last or when - last[key] >= 5:
                yield int(when), src, dst, int(dport)
            last[key] = when


def sketches_are_those_of_python():
    """Floods and sweeps of SYN, where it is plain which flow begins when."""
    for name in ("synflood-spoofed.pcap", "synscan.pcap"):
        path = need_data("attack", name)
        flows = collections.defaultdict(list)
        for second, *ends in begun(path):
            flows[second].append(ends)
        worst = 0
        for row in rows_of(path, "1s"):
            here = flows.pop(int(row["first"].split(".")[0]), [])
            assert int(float(row["flows_begun"])) == len(here), (name, row["first"])
            ways = (("entropy_src", lambda f: mapped(f[0])), ("entropy_dst", lambda f: mapped(f[1])),
                    ("entropy_dst_port", lambda f: f[2].to_bytes(2, "little")))
            for column, data in ways:
                classes = collections.Counter(siphash13(1, 2, data(f)) % 256 for f in here)
                assert abs(float(row[column]) - entropy(classes.values())) < 1e-5, (name, column)
            for column, which in (("sources", 0), ("destinations", 1)):
                true = len({f[which] for f in here})
                worst = max(worst, abs(float(row[column]) - true) / max(true, 1))
        assert not flows, (name, flows.keys())
        print(f"# {name}: distinct at worst {100 * worst:.1f} % off")
        assert worst < 0.15  # three standard errors


# --- the forms ---

def forms_agree():
    path = need_data("attack", "synscan.pcap")
    for view in ("link", "host"):
        done = atalaya("flows", "--view", view, "--units", path)
        comments = [x for x in done.stdout.splitlines() if x.startswith("#")]
        assert len(comments) == 2 and f"schema {view} version" in comments[0], comments
        table = list(csv.DictReader(x for x in done.stdout.splitlines() if not x.startswith("#")))
        lines = atalaya("flows", "--view", view, "--format", "jsonl", path).stdout.splitlines()
        assert len(lines) == len(table) > 1
        for row, line in zip(table, lines):
            assert {k: str(v) for k, v in json.loads(line, parse_float=str).items()} == row
        schema = json.loads(atalaya("flows", "--schema", "--json").stdout)["views"]
        columns = [c["name"] for v in schema if v["name"] == view for c in v["columns"]]
        assert list(table[0])[-len(columns):] == columns
        assert {v["name"] for v in schema} == {"flow", "host", "link"}


def contradictions_are_one_line():
    for args, word in ((("--view", "link", "--format", "ipfix"), "ipfix"),
                       (("--view", "host", "--format", "ipfix"), "ipfix"),
                       (("--view", "link", "--profile", "cic"), "cic"),
                       (("--view", "host", "--interval", "1s"), "--interval"),
                       (("--interval", "5s"), "10s"), (("--view", "lnk"), "link")):
        done = atalaya("flows", *args, "x.pcap")
        assert done.returncode == 2 and word in done.stderr, (args, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr


# --- a running edge ---

def an_edge_tells_its_latest_minute():
    with scratch() as folder:
        capture = folder / "day.pcap"
        assert atalaya("traffic", "--duration", "5m", "--rate", "10", "--seed", "3", "--out",
                       capture).returncode == 0
        config = folder / "edge.yaml"
        config.write_text(f"role: edge\nsite: s\nnode: n\nstate_dir: {folder}/state\n"
                          f"capture:\n  device: {capture}\n  file: true\n  workers: 2\n")
        with Process([ATALAYA, "edge", "-c", config], folder / "log") as edge:
            def minute():
                assert edge.alive(), edge.text()
                done = atalaya("stats", "-c", config, "--json")
                return done.returncode == 0 and json.loads(done.stdout).get("link")

            def last_but_one():
                told = minute()
                return told and told["packets"] > 0 and told
            told = wait_until("a minute in stats", last_but_one, 30)
            time.sleep(0.5)
            told = minute()
            text = atalaya("stats", "-c", config).stdout
            assert "minute " in text, text
        ours = {r["first"]: r for r in rows_of(capture, "60s")}
        second = subprocess.run(["date", "-u", "-d", told["first"], "+%s"], capture_output=True,
                                text=True, check=True).stdout.strip()
        row = ours[f"{second}.000000000"]
        for name, value in row.items():
            # entropies and distinct counts: an edge on a file uses the fixed key, too
            if name not in ("first", "flows_ended"):
                assert math.isclose(float(value), told[name], rel_tol=1e-6), (name, value, told)


run_cases([packets_and_bytes_of_each_second_are_tsharks, totals_are_those_of_tsharks_io_stat,
           every_packet_is_in_some_row, flags_are_tsharks, telecom_messages_are_tsharks,
           telecom_errors_are_tsharks, dns_is_tsharks, sketches_are_those_of_python, forms_agree,
           contradictions_are_one_line, an_edge_tells_its_latest_minute])
