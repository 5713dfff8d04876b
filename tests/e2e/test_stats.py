# SPDX-License-Identifier: Apache-2.0
"""What a running edge counts of tunnels and of the telecom control plane, as tshark counts it."""
import collections
import json
import subprocess

from harness import (ATALAYA, Process, atalaya, broker, free_port, need_data, need_tool, run_cases,
                     scratch, wait_until, witness)


def tshark(path, field, *options):
    out = subprocess.run(["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "aggregator=|", "-e",
                          field, *options], capture_output=True, text=True, check=True, timeout=60)
    return out.stdout.splitlines()


def codes(path, field):
    found = collections.Counter()
    for line in tshark(path, field):
        found.update(int(v, 0) for v in line.split("|") if v)
    return found


class Edge:
    """An edge that has read a capture to its end."""

    def __init__(self, folder, path, more=""):
        self.config = folder / "edge.yaml"
        self.config.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
                               f"capture:\n  device: {path}\n  file: true\n{more}")
        self.process = Process([ATALAYA, "edge", "-c", self.config], folder / "edge.log")
        self.frames = len(tshark(path, "frame.number"))

    def __enter__(self):
        wait_until("every packet counted", self.done, 30)
        return self

    def __exit__(self, *_):
        self.process.__exit__()

    def done(self):
        assert self.process.alive(), self.process.text()
        answer = atalaya("stats", "-c", self.config, "--json")
        if answer.returncode != 0:
            return None
        self.stats = json.loads(answer.stdout)
        return self.stats["packets"]["received"] == self.frames

    def text(self):
        return atalaya("stats", "-c", self.config).stdout


def control_plane_is_as_tshark_reads_it():
    need_tool("tshark")
    cases = [("gtp_c.pcap", "gtpv2c", "gtpv2.message_type"), ("pfcp.pcapng", "pfcp", "pfcp.msg_type"),
             ("diameter.pcap", "diameter", "diameter.cmd.code"),
             ("ngap-fuzz.pcapng", "ngap", "ngap.procedureCode"),
             ("ngap-fuzz.pcapng", "sctp", "sctp.chunk_type")]
    for name, protocol, field in cases:
        path = need_data("telecom", name)
        with scratch() as folder, Edge(folder, path) as edge:
            telecom, text = edge.stats["telecom"], edge.text()
        # requests of Diameter stand above 2^24, NGAP has its choice above 2^8
        mask = {"diameter": 2**24, "ngap": 256}.get(protocol, 2**32)
        totals, got = telecom["protocols"][protocol], collections.Counter()
        for code, n in totals["messages"].items():
            got[int(code) % mask] += n
        expected = codes(path, field)
        assert sum(got.values()) + totals.get("other", 0) + telecom["other"] == \
            sum(expected.values()), (name, protocol, got, expected)
        if not totals.get("other") and not telecom["other"]:
            assert got == expected, (name, protocol, got, expected)
        assert all(got[code] <= expected[code] for code in got), (name, got, expected)
        peers = telecom["peers"]
        assert 0 < len(peers) <= 10 and telecom["peers_known"] >= len(peers), telecom
        assert [p["errors"] for p in peers] == sorted((p["errors"] for p in peers), reverse=True)
        assert f"\n{protocol} " in text and peers[0]["peer"] in text, text
        print(f"# {name}: {sum(got.values())} {protocol} messages, {len(got)} codes, "
              f"{totals['errors']} errors, {telecom['peers_known']} peers")


def tunnels_are_as_tshark_reads_them():
    need_tool("tshark")
    path = need_data("telecom", "gtp-u.pcap")
    with scratch() as folder, Edge(folder, path) as edge:
        seen, text = edge.stats["encapsulations"], edge.text()
        fallbacks = edge.stats["fallbacks"]
    expected = len(tshark(path, "frame.number", "-Y", "gtp.message == 255"))
    assert seen["gtpu"] == expected > 0, (seen, expected)
    assert "GTP-U packet of a subscriber" in text, text
    for name, n in fallbacks.items():
        assert f"\n{name}" in text.split("fallbacks")[1] and n > 0, text


def an_inner_packet_that_is_cut_is_a_fallback():
    need_tool("editcap")
    path = need_data("telecom", "gtp-u.pcap")
    with scratch() as folder:
        cut = folder / "cut.pcap"
        subprocess.run(["editcap", "-s", "60", path, cut], check=True, timeout=60)
        with Edge(folder, cut) as edge:
            assert edge.stats["fallbacks"]["truncated"] > 0, edge.stats
            assert "keyed by an outer header" in edge.text()
            assert edge.stats["packets"]["difference"] == 0


def the_metrics_topic_has_them():
    path = need_data("telecom", "pfcp.pcapng")
    port = free_port()
    with scratch() as folder, broker(folder, port), witness(folder, port) as seen:
        more = f"broker:\n  url: mqtt://127.0.0.1:{port}\n  metrics_every: 200ms\n"
        with Edge(folder, path, more) as edge:
            def last():
                lines = [line.split(" ", 1)[1] for line in seen.text().splitlines()
                         if "/metrics " in line]
                return lines and json.loads(lines[-1])["telecom"]["peers"] and json.loads(lines[-1])
            metrics = wait_until("metrics with peers", last, 20)
            assert metrics["telecom"] == edge.stats["telecom"], metrics
            assert "encapsulations" in metrics and "fallbacks" in metrics


def records_without_detail_are_counted():
    path = need_data("benign", "webex.pcap")
    with scratch() as folder:
        more = (f"flows:\n  detail: 1\nexport:\n  to: {folder}/out.csv\n  profile: cic\n")
        with Edge(folder, path, more) as edge:
            def ended():
                edge.done()
                return edge.stats["flows"]["live"] == 0 and edge.stats["flows"]
            flows = wait_until("every flow ended", ended, 30)
            assert 0 < flows["without_detail"] < flows["created"], flows
            assert "records without detail" in edge.text()


if __name__ == "__main__":
    run_cases([control_plane_is_as_tshark_reads_it, tunnels_are_as_tshark_reads_them,
               an_inner_packet_that_is_cut_is_a_fallback, the_metrics_topic_has_them,
               records_without_detail_are_counted])
