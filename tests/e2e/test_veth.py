# SPDX-License-Identifier: Apache-2.0
"""The DPDK path on a real (virtual) wire: veth in a network namespace, tcpreplay at 100 kpps."""
import json
import os
import pathlib
import re
import subprocess

from harness import (ATALAYA, Process, Skip, atalaya, need_tool, run_cases, scratch,
                     wait_until)

SPACE = f"atalaya-{os.getpid()}"
PACKETS = 200000


def ip(*args):
    return subprocess.run(["ip", *args], capture_output=True, text=True, timeout=30)


def in_space(*args):
    return ["ip", "netns", "exec", SPACE, *map(str, args)]


class Wire:
    """A namespace that holds both ends of a veth pair, quiet but for what the test sends."""

    def __enter__(self):
        need_tool("ip")
        need_tool("tcpreplay")
        made = ip("netns", "add", SPACE)
        if made.returncode != 0:
            raise Skip(f"no right to make a network namespace: {made.stderr.strip()}")
        for command in (["link", "add", "tx0", "type", "veth", "peer", "name", "rx0"],
                        ["link", "set", "lo", "up"], ["link", "set", "tx0", "up"],
                        ["link", "set", "rx0", "up"]):
            done = ip("-n", SPACE, *command)
            assert done.returncode == 0, done.stderr
        for device in ("tx0", "rx0"):
            path = f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6"
            subprocess.run(in_space("sh", "-c", f"echo 1 > {path}"), check=False)
        return self

    def __exit__(self, *_):
        ip("netns", "del", SPACE)


def capture_on(backend, device):
    with Wire(), scratch() as folder:
        pcap = folder / "traffic.pcap"
        made = atalaya("traffic", "--profile", "residential", "--duration", "60s", "--rate", "150",
                       "--out", pcap)
        assert made.returncode == 0, made.stderr
        (folder / "edge.yaml").write_text(
            f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
            f"capture:\n  backend: {backend}\n  device: {device}\n"
            f"broker:\n  url: mqtt://127.0.0.1:1\n  metrics_every: 1s\n")
        # the broker lives in the namespace too: loopback there is its own
        port = 18830
        conf = folder / "broker.conf"
        conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        conf.chmod(0o644)
        text = (folder / "edge.yaml").read_text().replace("127.0.0.1:1\n", f"127.0.0.1:{port}\n")
        (folder / "edge.yaml").write_text(text)
        with Process(in_space("mosquitto", "-c", conf), folder / "broker.log"), \
                Process(in_space(ATALAYA, "edge", "-c", folder / "edge.yaml"), folder / "e.log") as edge:
            wait_until("capturing", lambda: "watches" in edge.text() or not edge.alive(), 30)
            if not edge.alive() and "ermission" in edge.text():
                raise Skip(edge.text().strip().splitlines()[-1])
            assert edge.alive(), edge.text()
            watcher = Process(in_space("mosquitto_sub", "-p", port, "-t", "atalaya/v1/a/e1/metrics"),
                              folder / "w.log")
            with watcher:
                sent = subprocess.run(in_space("tcpreplay", "-i", "tx0", "--pps=100000",
                                               f"--limit={PACKETS}", "--loop=100", pcap),
                                      capture_output=True, text=True, timeout=60)
                assert sent.returncode == 0, sent.stderr
                done = int(re.search(r"Successful packets:\s+(\d+)", sent.stdout).group(1))
                rate = float(re.search(r"([\d.]+) pps", sent.stdout).group(1))

                def settled():
                    lines = [json.loads(l) for l in watcher.text().splitlines()]
                    return len(lines) > 2 and lines[-1]["packets"] == lines[-2]["packets"] and \
                        lines[-1]["packets"]["received"] > 0 and lines[-1]

                last = wait_until("counters at rest", settled, 20)["packets"]
            print(f"# {backend} {device}: sent {done} at {rate:.0f} pps, {last}")
            assert last["received"] + last["nic_dropped"] == done, (done, last)
            assert last["received"] == last["processed"] + sum(last["dropped"].values()), last
            assert last["difference"] == 0
            assert edge.end() == 0


def dpdk_af_packet():
    if not pathlib.Path("/sys/class/net").exists():
        raise Skip("no network devices")
    if "DPDK" not in atalaya("--version").stdout:
        raise Skip("built without DPDK")
    capture_on("dpdk", "net_af_packet0,iface=rx0")


def libpcap_live():
    capture_on("libpcap", "rx0")


if __name__ == "__main__":
    run_cases([dpdk_af_packet, libpcap_live])
