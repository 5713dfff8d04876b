# SPDX-License-Identifier: Apache-2.0
"""nfcapd/nfdump and tshark read our IPFIX and agree on flows, packets and bytes."""
import csv
import io
import json
import re
import socket
import struct
import subprocess
import threading
import time

from harness import (Process, atalaya, free_port, need_data, need_tool, run_cases, scratch,
                     wait_until, ATALAYA)

CAPTURES = [("benign", "webex.pcap"), ("benign", "1kxun.pcap"), ("attack", "ssh-bruteforce.pcap"),
            ("benign", "netflix.pcap")]


def totals(path):
    rows = list(csv.DictReader(io.StringIO(atalaya("flows", path).stdout)))
    return (len(rows), sum(int(r["packets_fwd"]) + int(r["packets_bwd"]) for r in rows),
            sum(int(r["bytes_fwd"]) + int(r["bytes_bwd"]) for r in rows))


def listening(port):
    listed = subprocess.run(["ss", "-Hlun", f"sport = :{port}"], capture_output=True, text=True)
    return listed.stdout.strip()


def nfdump_reads_what_nfcapd_collects():
    for tool in ("nfcapd", "nfdump", "ss"):
        need_tool(tool)
    for capture in CAPTURES:
        path = need_data(*capture)
        for options in ([], ["--nanoseconds"]):
            collect(path, options)


def collect(path, options):
    with scratch() as folder:
        (folder / "nf").mkdir()
        port = free_port()
        with Process(["nfcapd", "-w", folder / "nf", "-b", "127.0.0.1", "-p", port, "-t", "600",
                      "-B", "4000000"], folder / "nfcapd.log") as nfcapd:
            wait_until("nfcapd listening", lambda: listening(port), 10)
            sent = atalaya("flows", "-f", "ipfix", "-o", f"udp://127.0.0.1:{port}", *options, path)
            assert sent.returncode == 0, sent.stderr
            time.sleep(0.3)  # what lies in the socket; nfcapd says nothing when it has read it
            nfcapd.end()
        ident = re.search(r"Flows: (\d+), Packets: (\d+), Bytes: (\d+).*Bad Packets: (\d+)",
                          nfcapd.text())
        assert ident, nfcapd.text()
        found = tuple(int(n) for n in ident.groups())
        assert found == (*totals(path), 0), (path.name, options, found, totals(path))
        dumped = subprocess.run(["nfdump", "-R", folder / "nf", "-o", "json"],
                                capture_output=True, text=True, timeout=60, check=True).stdout
        compare_records(path, json.JSONDecoder().raw_decode(dumped)[0], options)


def compare_records(path, theirs, options):
    """Flow by flow: ends, ports, protocol, both directions' packets and bytes."""
    def key(src, sport, dst, dport, proto, *rest):
        return (src, int(sport), dst, int(dport), int(proto), *map(int, rest))

    ours = sorted(key(r["src"], r["src_port"], r["dst"], r["dst_port"], r["proto"],
                      r["packets_fwd"], r["packets_bwd"], r["bytes_fwd"], r["bytes_bwd"])
                  for r in csv.DictReader(io.StringIO(atalaya("flows", path).stdout))
                  if r["proto"] in ("6", "17"))
    read = sorted(key(r.get("src4_addr") or r["src6_addr"], r["src_port"],
                      r.get("dst4_addr") or r["dst6_addr"], r["dst_port"], r["proto"],
                      r["in_packets"], r.get("out_packets", 0), r["in_bytes"],
                      r.get("out_bytes", 0)) for r in theirs if r["proto"] in (6, 17))
    assert ours == read, (path.name, options, [p for p in zip(ours, read) if p[0] != p[1]][:3])
    if not options:
        firsts = [r["first"] for r in theirs]
        assert all(re.match(r"20\d\d-\d\d-\d\dT", f) for f in firsts), firsts[:3]


def tshark(path, *fields, prefer=()):
    args = ["tshark", "-n", "-o", "cflow.max_template_fields:0", "-r", str(path), "-T", "fields",
            "-E", "aggregator=,"]
    for p in prefer:
        args += ["-o", p]
    for f in fields:
        args += ["-e", f]
    return subprocess.run(args, capture_output=True, text=True, check=True, timeout=60).stdout


def tshark_reads_the_file():
    need_tool("tshark")
    for capture in CAPTURES:
        path = need_data(*capture)
        with scratch() as folder:
            out = folder / "flows.ipfix"
            assert atalaya("flows", "-f", "ipfix", "-o", out, path).returncode == 0
            assert [p.name for p in folder.iterdir()] == ["flows.ipfix"]
            text = tshark(out, "cflow.packets", "cflow.octets", "cflow.flow_end_reason",
                          "_ws.malformed")
            packets, sizes, ends, bad = ([], [], [], "")
            for line in text.splitlines():
                p, o, e, m = (line.split("\t") + [""] * 4)[:4]
                packets += [int(v) for v in p.split(",") if v]
                sizes += [int(v) for v in o.split(",") if v]
                ends += [v for v in e.split(",") if v]
                bad += m
            assert not bad, bad
            # each record has both directions
            found = (len(ends), sum(packets), sum(sizes))
            assert found == totals(path) and len(packets) == 2 * len(ends), (path.name, found)


def messages(data):
    at = 0
    while at < len(data):
        version, length = struct.unpack(">HH", data[at:at + 4])
        assert version == 10 and 16 <= length <= len(data) - at, (at, version, length)
        yield data[at:at + length]
        at += length


def record_counts(message, lengths):
    """(data records, template sets first?) of one message; `lengths` maps templates to lengths."""
    at, records = 16, 0
    while at < len(message):
        number, length = struct.unpack(">HH", message[at:at + 4])
        body = message[at + 4:at + length]
        if number in (2, 3):
            learn(body, number == 3, lengths)
        else:
            records += count(body, lengths[number])
        at += length
    return records


def learn(body, options, lengths):
    at = 0
    while at + 4 <= len(body):
        number, n = struct.unpack(">HH", body[at:at + 4])
        at += 6 if options else 4
        fields = []
        for _ in range(n):
            ident, length = struct.unpack(">HH", body[at:at + 4])
            fields.append(length)
            at += 8 if ident & 0x8000 else 4
        lengths[number] = fields


def count(body, fields):
    at = n = 0
    while at < len(body):
        for length in fields:
            at += 1 + body[at] if length == 65535 else length
        n += 1
    assert at == len(body)
    return n


def sequence_is_right(data):
    """A fresh collector can read every message in order; @return data records"""
    lengths, expected = {}, None
    for message in messages(data):
        sequence = struct.unpack(">I", message[8:12])[0]
        assert expected is None or sequence == expected, (sequence, expected)
        expected = sequence + record_counts(message, lengths)
    return expected


class Collector(threading.Thread):
    """A TCP collector that hangs up after some bytes, a few times over."""

    def __init__(self, patience):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.patience, self.connections, self.stopping = patience, [], False

    def run(self):
        self.listener.settimeout(0.2)
        while not self.stopping:
            try:
                peer, _ = self.listener.accept()
            except TimeoutError:
                continue
            data = bytearray()
            self.connections.append(data)
            limit = self.patience.pop(0) if self.patience else None
            peer.settimeout(0.2)
            while not self.stopping and (limit is None or len(data) < limit):
                try:
                    more = peer.recv(65536)
                except TimeoutError:
                    continue
                if not more:
                    break
                data += more
            peer.close()

    def end(self):
        self.stopping = True
        self.join(5)
        self.listener.close()


def tcp_delivers_everything():
    path = need_data("benign", "webex.pcap")
    collector = Collector([])
    collector.start()
    result = atalaya("flows", "-f", "ipfix", "-o", f"tcp://127.0.0.1:{collector.port}", path)
    assert result.returncode == 0, result.stderr
    time.sleep(0.3)
    collector.end()
    assert len(collector.connections) == 1
    assert sequence_is_right(bytes(collector.connections[0])) > 58


def no_collector_is_one_clear_line():
    path = need_data("benign", "webex.pcap")
    result = atalaya("flows", "-f", "ipfix", "-o", f"tcp://127.0.0.1:{free_port()}", path)
    assert result.returncode == 1 and "Connection refused" in result.stderr, result.stderr
    for args, says in ((["-f", "csv", "-o", "udp://127.0.0.1:1"], "only ipfix"),
                       (["-f", "ipfix", "-o", "udp://127.0.0.1"], "expected udp://host:port"),
                       (["-f", "ipfix", "-o", "http://a:1"], "expected udp://host:port"),
                       (["-f", "ipfix", "-p", "cic"], "cic profile"),
                       (["--cic-compat"], "--profile cic"),
                       (["-f", "jsonl", "--units"], "units")):
        result = atalaya("flows", *args, path)
        assert result.returncode == 2 and says in result.stderr, (args, result.stderr)


EDGE = """role: edge
site: a
node: e1
state_dir: {state}
capture:
  device: {capture}
  file: true
  pace: true
  speed: 20
export:
  to: {to}
  format: {form}
  rotate: 10s
  template_interval: 1s
"""


def a_live_edge_reconnects_and_describes_again():
    path = need_data("benign", "webex.pcap")
    with scratch() as folder:
        collector = Collector([2000, 1])
        collector.start()
        conf = folder / "edge.yaml"
        conf.write_text(EDGE.format(state=folder / "state", capture=path, form="ipfix",
                                    to=f"tcp://127.0.0.1:{collector.port}"))
        with Process([ATALAYA, "edge", "-c", conf], folder / "edge.log") as edge:
            wait_until("a third connection with data", lambda: len(collector.connections) > 2
                       and len(collector.connections[2]) > 2000, 30)
            wait_until("the capture's end", lambda: "has ended" in edge.text(), 30)
            assert edge.end() == 0, edge.text()
        time.sleep(0.3)
        collector.end()
        last = bytes(collector.connections[-1])
        assert last[16:18] == b"\0\2", "templates come first on a new connection"
        sequence_is_right(last)


def a_live_edge_writes_whole_files():
    path = need_data("benign", "webex.pcap")
    with scratch() as folder:
        conf = folder / "edge.yaml"
        conf.write_text(EDGE.format(state=folder / "state", capture=path, form="jsonl",
                                    to=folder / "flows.jsonl"))
        with Process([ATALAYA, "edge", "-c", conf], folder / "edge.log") as edge:
            wait_until("the capture's end", lambda: "has ended" in edge.text(), 30)
            assert edge.end() == 0, edge.text()
        files = sorted(folder.glob("flows-*.jsonl"))
        assert files and not list(folder.glob("*.part*"))
        rows = [json.loads(l) for f in files for l in f.read_text().splitlines()]
        assert sum(r["packets_fwd"] + r["packets_bwd"] for r in rows) == totals(path)[1]


def schema_is_printed():
    doc = json.loads(atalaya("flows", "--schema", "--json").stdout)
    names = [v["name"] for v in doc["views"]]
    assert names[:2] == ["flow", "host"]
    header = atalaya("flows", need_data("benign", "webex.pcap")).stdout.splitlines()[0]
    columns = doc["views"][0]["columns"]
    assert all(c["name"] in header.split(",") for c in columns)
    assert all(c["unit"] and c["formula"] and c["source"] for v in doc["views"]
               for c in v["columns"])
    numbers = [c["ipfix_element"] for c in columns if "ipfix_element" in c]
    assert len(set(numbers)) == len(numbers) == len(columns) - 4
    text = atalaya("flows", "--schema").stdout
    assert doc["views"][0]["hash"] in text


if __name__ == "__main__":
    run_cases([nfdump_reads_what_nfcapd_collects, tshark_reads_the_file, tcp_delivers_everything,
               no_collector_is_one_clear_line, a_live_edge_reconnects_and_describes_again,
               a_live_edge_writes_whole_files, schema_is_printed])
