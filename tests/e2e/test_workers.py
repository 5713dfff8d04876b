# SPDX-License-Identifier: Apache-2.0
"""Several workers on a real (virtual) wire: same flows, nothing uncounted; the control socket."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import (ATALAYA, Process, Skip, atalaya, need_tool, run_cases, scratch, wait_until)
from test_veth import Wire, in_space

PACKETS = 30000


def config(folder, backend, device, workers, more=""):
    path = folder / "edge.yaml"
    path.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
                    f"capture:\n  backend: {backend}\n  device: {device}\n  workers: {workers}\n"
                    f"{more}")
    return path


def ask(path, verb="stats", *more):
    answer = atalaya(verb, "-c", path, "--json", *more, timeout=30)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def running(edge, path):
    wait_until("an answer", lambda: ask(path, "status") or not edge.alive(), 30)
    if not edge.alive() and "ermission" in edge.text():
        raise Skip(edge.text().strip().splitlines()[-1])
    assert edge.alive(), edge.text()


def replay(pcap, pps=30000):
    """Send; ask all the while. @return packets sent, answers that came meanwhile"""
    sent = subprocess.run(in_space("tcpreplay", "-i", "tx0", f"--pps={pps}", f"--limit={PACKETS}",
                                   pcap), capture_output=True, text=True, timeout=60)
    assert sent.returncode == 0, sent.stderr
    return int(re.search(r"Successful packets:\s+(\d+)", sent.stdout).group(1))


def at_rest(path, expected):
    def look():
        s = ask(path)
        packets = s["packets"]
        return packets["received"] + packets["nic_dropped"] >= expected and \
            packets["handed"] == 0 and s
    return wait_until("all packets", look, 20)


def one_run(folder, pcap, backend, device, workers, more=""):
    with Wire():
        path = config(folder, backend, device, workers, more)
        with Process(in_space(ATALAYA, "edge", "-c", path), folder / f"{workers}.log") as edge:
            running(edge, path)
            looks = []
            with subprocess.Popen([ATALAYA, "stats", "-c", path, "--watch", "--json"],
                                  stdout=subprocess.PIPE, text=True) as watcher:
                done = replay(pcap)
                last = at_rest(path, done)
                time.sleep(1.1)
                watcher.terminate()
                looks = [json.loads(line) for line in watcher.stdout]
            status = ask(path, "status")
            assert edge.end() == 0, edge.text()
    packets = last["packets"]
    print(f"# {backend} {device} x{workers}: sent {done}, {packets}")
    assert packets["received"] + packets["nic_dropped"] == done
    assert looks and all(look["packets"]["difference"] == 0 for look in looks)
    assert sum(w["processed"] for w in last["workers"]) == packets["processed"]
    assert sum(w["given"] for w in last["workers"]) == sum(w["taken"] for w in last["workers"])
    return last, status


def capture(folder):
    pcap = folder / "traffic.pcap"
    made = atalaya("traffic", "--profile", "residential", "--duration", "60s", "--rate", "60",
                   "--out", pcap)
    assert made.returncode == 0, made.stderr
    return pcap


def same_flows(backend, device, workers, more=""):
    """A flow whose directions met at different workers would be counted twice."""
    with scratch() as folder:
        pcap = capture(folder)
        alone, _ = one_run(folder, pcap, backend, device, 1)
        several, status = one_run(folder, pcap, backend, device, workers, more)
    for run in (alone, several):
        if run["packets"]["nic_dropped"] or run["packets"]["dropped"]["handover_full"]:
            raise Skip("packets were lost on this machine: flows cannot be compared")
    assert alone["flows"]["created"] == several["flows"]["created"], (alone, several)
    assert all(w["processed"] > 0 for w in several["workers"]), several["workers"]
    return several, status


def need_dpdk():
    if "DPDK" not in atalaya("--version").stdout:
        raise Skip("built without DPDK")


def af_packet_with_two_queues():
    need_dpdk()
    several, status = same_flows("dpdk", "net_af_packet0,iface=rx0", 2)
    assert "2 of them reading, flows handed over" in status["capture"], status["capture"]
    assert all(w["received"] > 0 and w["given"] > 0 for w in several["workers"])


def libpcap_shares_its_sockets():
    several, status = same_flows("libpcap", "rx0", 2)
    assert "the device spreads flows" in status["capture"], status["capture"]
    assert all(w["received"] > 0 and w["given"] == 0 for w in several["workers"])


def libpcap_hands_over():
    several, status = same_flows("libpcap", "rx0", 3, "  distribute: software\n")
    assert "1 of them reading" in status["capture"], status["capture"]
    assert several["workers"][0]["received"] == several["packets"]["received"]


def what_the_kernel_loses_is_counted():
    """The edge is stopped while more arrives than any ring holds: sent = received + lost."""
    runs = [("libpcap", "rx0")]
    if "DPDK" in atalaya("--version").stdout:
        runs.append(("dpdk", "net_af_packet0,iface=rx0,framecnt=512"))
    for backend, device in runs:
        with scratch() as folder, Wire():
            pcap = capture(folder)
            path = config(folder, backend, device, 2)
            with Process(in_space(ATALAYA, "edge", "-c", path), folder / "e.log") as edge:
                running(edge, path)
                edge.child.send_signal(signal.SIGSTOP)
                done = sum(replay(pcap, 300000) for _ in range(4))
                edge.child.send_signal(signal.SIGCONT)
                last = at_rest(path, done)["packets"]
                print(f"# {backend}: sent {done}, {last}")
                assert last["losses"]["kernel"] > 0
                assert last["received"] + last["nic_dropped"] == done
                assert last["difference"] == 0
                assert edge.end() == 0


def a_fallback_is_told():
    need_dpdk()
    with scratch() as folder, Wire():
        for fallback, works in (("none", False), ("libpcap", True)):
            path = config(folder, "dpdk", '"net_af_packet0,iface=rx0,qpairs=999"', 1,
                          f"  fallback: {fallback}\n")
            with Process(in_space(ATALAYA, "edge", "-c", path), folder / f"{fallback}.log") as edge:
                if not works:
                    assert wait_until("the end", lambda: not edge.alive(), 30)
                    assert edge.end() == 1
                    assert len(edge.text().strip().splitlines()) == 1, edge.text()
                    continue
                running(edge, path)
                status = ask(path, "status")
                assert status["state"] == "degraded", status
                assert "fallen back" in status["degraded"][0], status
                assert "fallen back to libpcap on rx0" in edge.text(), edge.text()
                assert "libpcap interface rx0" in status["capture"]
                assert edge.end() == 0


# --- the socket, on a file that is replayed slowly ---

def paced(folder):
    pcap = capture(folder)
    return config(folder, "libpcap", pcap, 2, "  file: true\n  pace: true\n")


def the_socket_is_private_and_bounded():
    with scratch() as folder:
        path = paced(folder)
        where = folder / "state" / "control.sock"
        with Process([ATALAYA, "edge", "-c", path], folder / "e.log") as edge:
            running(edge, path)
            assert os.stat(where).st_mode & 0o777 == 0o600
            second = atalaya("edge", "-c", path, timeout=30)
            assert second.returncode == 1 and "in use by another" in second.stderr, second.stderr
            assert len(second.stderr.strip().splitlines()) == 1, second.stderr

            def talk(data):
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(5)
                    s.connect(str(where))
                    s.sendall(data)
                    return json.loads(s.makefile().readline())

            assert talk(b'{"verb":"status"}\n')["ok"]
            for bad in (b"nonsense\n", b"{}\n", b'{"verb":"fly"}\n', b'{"verb":5}\n', b"x" * 5000,
                        b"[" * 4000 + b"\n", b"\x00\xff\n"):
                answer = talk(bad)
                assert answer["ok"] is False and answer["error"], (bad, answer)
            # many that say nothing keep nobody from being heard, once they are let go
            quiet = []
            for _ in range(40):
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(1)
                try:
                    s.connect(str(where))
                    quiet.append(s)
                except OSError:
                    s.close()
            for s in quiet:
                s.close()
            wait_until("an answer", lambda: ask(path), 5)
            # two requests in one packet, one in two
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(str(where))
                lines = s.makefile()
                s.sendall(b'{"verb":"status"}\n{"verb":"stats"}\n{"verb":')
                assert "started" in json.loads(lines.readline())
                assert "workers" in json.loads(lines.readline())
                s.sendall(b'"stats"}\n')
                assert "workers" in json.loads(lines.readline())
            assert edge.end() == 0
            assert not where.exists()
        gone = atalaya("status", "-c", path)
        assert gone.returncode == 1 and "no edge runs" in gone.stderr, gone


def reload_checks_first():
    with scratch() as folder:
        path = paced(folder)
        good = path.read_text()
        with Process([ATALAYA, "edge", "-c", path], folder / "e.log") as edge:
            running(edge, path)
            started = ask(path, "status")["started"]
            assert ask(path, "reload")["changed"] is False
            path.write_text(good + "flows:\n  maxx: 5\n")
            refused = atalaya("reload", "-c", path)
            assert refused.returncode == 1 and "line 12" in refused.stderr, refused
            assert "did you mean 'flows.max'" in refused.stderr, refused
            assert ask(path, "status")["started"] == started
            path.write_text("role: hub\nsite: a\nnode: h\nstate_dir: /nowhere\nbroker:\n"
                            "  url: mqtt://b\nfederation:\n  name: f\n  keys: /nowhere\n")
            socket_path = next(folder.rglob("control.sock"))
            refused = atalaya("reload", "-s", socket_path)
            assert refused.returncode == 1 and "expected 'edge' as before" in refused.stderr, refused
            path.write_text(good + "flows:\n  max: 4096\n")
            assert ask(path, "reload")["changed"] is True
            wait_until("a new start",
                       lambda: (ask(path, "status") or {}).get("started", started) != started, 20)
            assert edge.end() == 0


def evidence_is_written_on_request_and_on_alert():
    need_tool("tshark")
    with scratch() as folder:
        pcap = folder / "scan.pcap"
        made = atalaya("traffic", "--profile", "residential", "--duration", "120s", "--rate", "30",
                       "--attack", "horizontal-scan@60s+30s", "--out", pcap)
        assert made.returncode == 0, made.stderr
        path = config(folder, "libpcap", pcap, 2, "  file: true\nevidence:\n  enabled: true\n"
                      "  max_files: 2\n")
        with Process([ATALAYA, "edge", "-c", path], folder / "e.log") as edge:
            line = wait_until("evidence of an alert",
                              lambda: re.search(r"packets of (\S+) written to (\S+)", edge.text()),
                              60)
            entity, first = line.groups()
            assert os.stat(first).st_mode & 0o777 == 0o600
            for _ in range(3):
                answer = ask(path, "evidence", entity)
            name, packets = answer["file"], answer["packets"]
            kept = sorted((folder / "state" / "evidence").iterdir())
            assert len(kept) == 2 and str(kept[-1]) == name, kept
            read = subprocess.run(["tshark", "-n", "-r", name, "-T", "fields", "-e", "ip.src", "-e",
                                   "ip.dst", "-e", "frame.cap_len"], capture_output=True,
                                  text=True, timeout=60)
            assert read.returncode == 0, read.stderr
            rows = [row.split("\t") for row in read.stdout.splitlines()]
            assert len(rows) == packets, (len(rows), packets)
            assert all(entity in row[:2] and int(row[2]) <= 128 for row in rows), rows[:5]
            for bad, says in (("10.9.8.7", "none of the"), ("nonsense", "expected an IPv4")):
                result = atalaya("evidence", "-c", path, bad)
                assert result.returncode == 1 and says in result.stderr, result
            assert edge.end() == 0


if __name__ == "__main__":
    run_cases([af_packet_with_two_queues, libpcap_shares_its_sockets, libpcap_hands_over,
               what_the_kernel_loses_is_counted, a_fallback_is_told, the_socket_is_private_and_bounded, reload_checks_first,
               evidence_is_written_on_request_and_on_alert])
