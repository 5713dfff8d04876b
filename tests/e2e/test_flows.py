# SPDX-License-Identifier: Apache-2.0
"""`atalaya flows` on real captures, against tshark's reading of the same packets."""
import collections
import csv
import io
import json
import os
import stat
import subprocess

from harness import atalaya, need_captures, need_data, need_tool, run_cases, scratch


def tshark_conversations(path):
    """{(address, address): [packets, bytes]} by the outermost IP header of each frame."""
    fields = ["ip.src", "ip.dst", "ip.len", "ipv6.src", "ipv6.dst", "ipv6.plen"]
    args = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f", "-E",
            "separator=,", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    for f in fields:
        args += ["-e", f]
    out = subprocess.run(args, capture_output=True, text=True, check=True, timeout=120).stdout
    conversations = collections.defaultdict(lambda: [0, 0])
    for line in out.splitlines():
        src, dst, length, src6, dst6, payload = (line.split(",") + [""] * 6)[:6]
        if src:
            pair, size = tuple(sorted((src, dst))), int(length)
        elif src6:
            pair, size = tuple(sorted((src6, dst6))), int(payload) + 40
        else:
            continue
        conversations[pair][0] += 1
        conversations[pair][1] += size
    return conversations


def our_conversations(path):
    result = atalaya("flows", "--key", "outer", path)
    assert result.returncode == 0, result.stderr
    conversations = collections.defaultdict(lambda: [0, 0])
    for row in csv.DictReader(io.StringIO(result.stdout)):
        c = conversations[tuple(sorted((row["src"], row["dst"])))]
        c[0] += int(row["packets_fwd"]) + int(row["packets_bwd"])
        c[1] += int(row["bytes_fwd"]) + int(row["bytes_bwd"])
    return conversations


def agrees_with_tshark_on_every_conversation():
    need_tool("tshark")
    total = 0
    for path in need_captures("benign", "attack"):
        ours, theirs = our_conversations(path), tshark_conversations(path)
        for pair in set(ours) | set(theirs):
            assert ours[pair] == theirs[pair], (path.name, pair, ours[pair], theirs[pair])
        total += len(theirs)
    print(f"# {total} conversations agree in packets and bytes")


def counts_every_packet():
    for path in need_captures("benign", "attack", "mixed", "telecom", "encap"):
        result = atalaya("flows", "--format", "none", "--json", path)
        # one of them is cut short, and that is said
        assert result.returncode == 0 or "truncated" in result.stderr, (path.name, result.stderr)
        line = next(l for l in result.stderr.splitlines() if l.startswith("{"))
        summary = json.loads(line)["files"][0]
        assert summary["difference"] == 0, summary
        lost = summary["packets"] - summary["processed"] - sum(summary["dropped"].values())
        assert lost == 0, summary


def jsonl_and_csv_say_the_same():
    path = need_data("benign", "webex.pcap")
    rows = list(csv.DictReader(io.StringIO(atalaya("flows", path).stdout)))
    objects = [json.loads(l) for l in atalaya("flows", "-f", "jsonl", path).stdout.splitlines()]
    assert len(rows) == len(objects) > 10
    for row, obj in zip(rows, objects):
        assert list(row) == list(obj)
        for name, value in row.items():
            if isinstance(obj[name], (int, float)):
                assert float(value) == float(obj[name]), name
            else:
                assert value == obj[name], name


def out_appears_whole_or_not_at_all():
    path = need_data("benign", "webex.pcap")
    with scratch() as folder:
        assert atalaya("flows", "-o", folder / "a.csv", path).returncode == 0
        assert (folder / "a.csv").read_text() == atalaya("flows", path).stdout
        assert [p.name for p in folder.iterdir()] == ["a.csv"]
        result = atalaya("flows", "-o", folder / "missing" / "a.csv", path)
        assert result.returncode == 1 and "cannot create" in result.stderr
        os.mkfifo(folder / "pipe")
        reader = subprocess.Popen(["cat", folder / "pipe"], stdout=subprocess.PIPE, text=True)
        assert atalaya("flows", "-o", folder / "pipe", path).returncode == 0
        assert reader.communicate(timeout=30)[0] == (folder / "a.csv").read_text()
        assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
    with open("/dev/full", "w", encoding="utf8") as full:
        code = subprocess.run([os.environ["ATALAYA"], "flows", str(path)], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        assert code.returncode == 1 and "No space left" in code.stderr, code


def a_cut_capture_keeps_what_was_read():
    path = need_data("benign", "webex.pcap")
    with scratch() as folder:
        cut = folder / "cut.pcap"
        cut.write_bytes(path.read_bytes()[:200000])
        result = atalaya("flows", cut)
        assert result.returncode == 1
        assert len(result.stdout.splitlines()) > 2
        last = result.stderr.strip().splitlines()[-1]
        assert "cut.pcap" in last, last


if __name__ == "__main__":
    run_cases([agrees_with_tshark_on_every_conversation, counts_every_packet,
               jsonl_and_csv_say_the_same, out_appears_whole_or_not_at_all,
               a_cut_capture_keeps_what_was_read])
