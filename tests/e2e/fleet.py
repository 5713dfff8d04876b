# SPDX-License-Identifier: Apache-2.0
"""A hub and edges as real processes, on captures that they read at once: ready within seconds."""
import json
import re
import signal
import subprocess

from harness import ATALAYA, Process, atalaya, wait_until

PROFILES = ("residential", "business", "mobile")


def make_site(folder, n):
    """A small capture of quiet traffic, about 3,000 flows."""
    path = folder / f"site-{n}.pcap"
    result = atalaya("traffic", "--profile", PROFILES[n % 3], "--site", n, "--seed", n,
                     "--duration", "60s", "--rate", "50", "--subscribers", "200", "--snap", "128",
                     "--out", path)
    assert result.returncode == 0, result.stderr
    return path


def make_keys(folder, nodes):
    (folder / "roster").mkdir()
    for node in nodes:
        assert atalaya("keys", "--dir", folder / node / "keys", node).returncode == 0
        public = folder / node / "keys" / f"{node}.pub"
        (folder / "roster" / public.name).write_bytes(public.read_bytes())


class Fleet:
    """Configurations of a hub and of `edges` edges, and their processes by name."""

    def __init__(self, folder, url, edges=3, captures=None, broker_lines=None, hub_url=None,
                 **federation):
        self.folder = folder
        self.names = [f"edge-{n}" for n in range(1, edges + 1)]
        self.processes = {}
        make_keys(folder, ["hub", *self.names])
        lines = broker_lines or (lambda node: "")
        unit = federation.get("unit", "flow")
        settings = {"rounds": 2, "quorum": edges, "expected": edges, "deadline": "20s",
                    "pause": "1s", "steps": 20, "sample_rate": 0.05, **federation}
        (folder / "hub.yaml").write_text(
            f"role: hub\nsite: core\nnode: hub\nstate_dir: {folder}/hub\n"
            f"broker:\n  url: {hub_url or url}\n  metrics_every: 1s\n{lines('hub')}"
            f"federation:\n  name: test\n  keys: {folder}/roster\n"
            + "".join(f"  {key}: {value}\n" for key, value in settings.items()))
        for n, name in enumerate(self.names, 1):
            capture = captures[n - 1] if captures else make_site(folder, n)
            (folder / f"{name}.yaml").write_text(
                f"role: edge\nsite: site-{n}\nnode: {name}\nstate_dir: {folder}/{name}\n"
                f"capture:\n  device: {capture}\n  file: true\n"
                "flows:\n  timeout_idle: 10s\n  timeout_active: 15s\n  timeout_udp: 10s\n"
                "hosts:\n  window: 60s\n  step: 5s\nlearning:\n  flow_rows: 1000\n  delay: 0s\n"
                f"broker:\n  url: {url}\n  metrics_every: 500ms\n{lines(name)}"
                f"federation:\n  name: test\n  hub: hub\n  keys: {folder}/roster\n"
                f"  budget_epsilon: 100\n  unit: {unit}\n")

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *names):
        for name in names:
            verb = "hub" if name == "hub" else "edge"
            self.processes[name] = Process([ATALAYA, verb, "-c", self.folder / f"{name}.yaml"],
                                           self.folder / f"{name}.log")

    def start_all(self):
        self.start("hub", *self.names)

    def kill(self, name):
        self.processes[name].end(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.alive():
                process.child.terminate()
        for process in self.processes.values():
            process.__exit__()


def payloads(watcher, topic):
    for line in watcher.text().splitlines():
        name, _, payload = line.partition(" ")
        if re.fullmatch(topic, name) and payload.startswith("{"):
            try:
                yield json.loads(payload)
            except ValueError:
                pass  # the line is still being written


def rounds(watcher, state="committed"):
    """Last document of each round in this state."""
    found = {}
    for doc in payloads(watcher, "atalaya/v1/fl/test/round"):
        if doc["state"] == state:
            found[doc["round"]] = doc
    return found


def wait_round(watcher, number, seconds=60):
    return wait_until(f"a commit of round {number} or later", lambda: next(
        (doc for n, doc in sorted(rounds(watcher).items()) if n >= number), None), seconds)


def ledger(folder, edge):
    """What `atalaya privacy ledger` says of an edge."""
    done = subprocess.run([ATALAYA, "privacy", "ledger", "--json", str(folder / edge / "ledger")],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
