# SPDX-License-Identifier: Apache-2.0
"""An edge learns anew by itself, says what it decided, and goes back when it is told to."""
import hashlib
import json

from harness import ATALAYA, Process, atalaya, run_cases, scratch, wait_until


def edge(folder):
    """Configuration of an edge that learns anew every second from a replayed capture."""
    pcap, conf = folder / "s.pcap", folder / "edge.yaml"
    made = atalaya("traffic", "--duration", "600s", "--rate", "40", "--subscribers", "100",
                   "--snap", "96", "--out", pcap)
    assert made.returncode == 0, made.stderr
    conf.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
                    f"capture:\n  device: {pcap}\n  file: true\n  pace: true\n  speed: 20\n"
                    "flows:\n  timeout_idle: 2s\n  timeout_active: 2s\n  timeout_udp: 2s\n"
                    "learning:\n  flow_rows: 1000\n  reservoir: 4096\n  delay: 5s\n  refresh: 1s\n"
                    "  seed: 5\n")
    return conf


def status(conf):
    return json.loads(atalaya("status", "-c", conf, "--json").stdout)


def models(folder):
    """The three generations, newest first, by their content."""
    files = [folder / "state" / f"model.safetensors{suffix}" for suffix in ("", ".1", ".2")]
    return [hashlib.sha256(f.read_bytes()).hexdigest()[:8] for f in files if f.exists()]


def learns_anew_and_goes_back():
    with scratch() as folder:
        conf = edge(folder)
        none = atalaya("model", "rollback", "-c", conf)
        assert none.returncode == 1 and "no earlier model" in none.stderr, none
        with Process([ATALAYA, "edge", "-c", conf], folder / "log") as child:
            wait_until("first model", lambda: "flow model learned from" in child.text(), 40)
            wait_until("a decision", lambda: "model learned anew" in child.text(), 40)
            wait_until("two generations", lambda: len(models(folder)) > 1, 40)
            flow = status(conf)["detector"]["models"]["flow"]
            assert flow["name"] == "local" and flow["drift"] in ("steady", "drifted"), flow
            assert flow["promotions"] + flow["kept_out"] > 0, flow
            assert "learned anew" in flow["last"] and flow["age_s"] >= 0, flow
            assert "flow model local" in atalaya("status", "-c", conf).stdout
            asked = atalaya("model", "rollback", "-c", conf)
            assert asked.returncode == 0 and "running edge" in asked.stdout, asked
            wait_until("gone back", lambda: "back to the models before" in child.text(), 30)
            assert child.end() == 0
        before = models(folder)
        assert len(before) in (2, 3), before
        for calls in range(1, len(before) + 1):
            offline = atalaya("model", "rollback", "-c", conf)
            assert offline.returncode == 0 and "no edge runs" in offline.stdout, offline
            now = models(folder)
            turned = calls % len(before)  # each call puts the first behind the last
            assert now == before[turned:] + before[:turned], (before, now)


def rollback_needs_a_configuration():
    for args in (["rollback"], ["rollback", "-c", "/nowhere.yaml"]):
        result = atalaya("model", *args)
        assert result.returncode in (2, 78) and result.stderr, result


run_cases([learns_anew_and_goes_back, rollback_needs_a_configuration])
