# SPDX-License-Identifier: Apache-2.0
"""Real mosquitto, a hub and two edges over loopback: learn, two private rounds, an attack, an alert."""
import json
import re
import signal

from harness import Process, ATALAYA, atalaya, broker, free_port, run_cases, scratch, wait_until, witness

ATTACKER = "10.2.0.66"


def make_site(folder, n, attacks=()):
    args = ["traffic", "--profile", ("residential", "business")[n - 1], "--site", n, "--seed", n,
            "--duration", "6m", "--rate", "60", "--subscribers", "200", "--snap", "128", "--out",
            folder / f"site-{n}.pcap"]
    for attack in attacks:
        args += ["--attack", attack]
    result = atalaya(*args)
    assert result.returncode == 0, result.stderr


def write_configs(folder, port):
    (folder / "hub.yaml").write_text(
        f"role: hub\nsite: core\nnode: hub\nstate_dir: {folder}/hub\n"
        f"broker:\n  url: mqtt://127.0.0.1:{port}\n  metrics_every: 1s\n"
        f"federation:\n  name: test\n  keys: {folder}/roster\n  rounds: 2\n  quorum: 2\n"
        "  expected: 2\n  deadline: 30s\n  pause: 1s\n  steps: 20\n  sample_rate: 0.05\n")
    for n in (1, 2):
        (folder / f"edge-{n}.yaml").write_text(
            f"role: edge\nsite: site-{n}\nnode: edge-{n}\nstate_dir: {folder}/edge-{n}\n"
            f"capture:\n  device: {folder}/site-{n}.pcap\n  file: true\n  pace: true\n  speed: 8\n"
            "hosts:\n  window: 60s\n  step: 5s\n"
            "learning:\n  flow_rows: 3000\n"
            f"broker:\n  url: mqtt://127.0.0.1:{port}\n  metrics_every: 500ms\n"
            f"federation:\n  name: test\n  hub: hub\n  keys: {folder}/roster\n")


def make_keys(folder):
    (folder / "roster").mkdir()
    for node in ("hub", "edge-1", "edge-2"):
        assert atalaya("keys", "--dir", folder / node / "keys", node).returncode == 0
        pub = folder / node / "keys" / f"{node}.pub"
        (folder / "roster" / pub.name).write_bytes(pub.read_bytes())


def payloads(watcher, topic):
    for line in watcher.text().splitlines():
        name, _, payload = line.partition(" ")
        if re.fullmatch(topic, name) and payload.startswith("{"):
            yield json.loads(payload)


def first(watcher, topic, want=lambda p: True):
    return next((p for p in payloads(watcher, topic) if want(p)), None)


def the_whole_road():
    with scratch() as folder:
        port = free_port()
        make_keys(folder)
        make_site(folder, 1)
        make_site(folder, 2, ["horizontal-scan@300s+40s"])
        write_configs(folder, port)
        with broker(folder, port), witness(folder, port) as seen, \
                Process([ATALAYA, "hub", "-c", folder / "hub.yaml"], folder / "hub.log"), \
                Process([ATALAYA, "edge", "-c", folder / "edge-1.yaml"], folder / "e1.log") as e1, \
                Process([ATALAYA, "edge", "-c", folder / "edge-2.yaml"], folder / "e2.log") as e2:
            wait_until("both online", lambda: all(
                first(seen, f"atalaya/v1/site-{n}/edge-{n}/state", lambda p: p["state"] == "online")
                for n in (1, 2)), 20)
            info = first(seen, "atalaya/v1/site-1/edge-1/info")
            assert info["role"] == "edge" and info["version"], info
            committed = "atalaya/v1/fl/test/round"
            for number in (1, 2):
                done = wait_until(f"round {number} committed", lambda n=number: first(
                    seen, committed, lambda p: p["round"] == n and p["state"] == "committed"), 60)
                assert sorted(done["participants"]) == ["edge-1", "edge-2"], done
                assert 0 < done["epsilon"] < 10 and done["bytes"] > 1000
            wait_until("the edges use the model of round 2", lambda: all(
                first(seen, f"atalaya/v1/site-{n}/edge-{n}/metrics",
                      lambda p: p["detector"]["flow_model"] == f"round 2/{done['model'][:8]}")
                for n in (1, 2)), 30)
            alert = wait_until("the alert for the attacker", lambda: first(
                seen, "atalaya/v1/site-2/edge-2/alert/.*",
                lambda p: p["atalaya"]["entity"] == ATTACKER), 60)
            assert alert["atalaya"]["kind"] == "horizontal_scan", alert
            others = [p["alert"]["signature"] for p in payloads(seen, ".*/alert/.*")
                      if p["atalaya"]["entity"] != ATTACKER]
            assert not others, (len(others), others[:5])

            for n, edge in ((1, e1), (2, e2)):
                metrics = f"atalaya/v1/site-{n}/edge-{n}/metrics"
                so_far = len(list(payloads(seen, metrics)))
                # one look may fall between two counters of a running worker; a lost packet stays
                last = wait_until("accounts that balance", lambda t=metrics, k=so_far: next(
                    (p for p in list(payloads(seen, t))[k:] if p["packets"]["difference"] == 0),
                    None), 20)
                assert last["flows"]["lost"] == 0, last
                spent = last["federation"]["epsilon"]
                assert 0 < spent <= done["epsilon"] + 1e-6, (spent, done)
                assert edge.end() == 0
            ledger = "".join(p.read_text() for p in (folder / "edge-1" / "ledger").iterdir()
                             if p.is_file())
            assert "edge-1" in ledger and "test" in ledger


def an_edge_killed_is_lost_and_comes_back():
    with scratch() as folder:
        port = free_port()
        make_keys(folder)
        make_site(folder, 1)
        make_site(folder, 2)
        write_configs(folder, port)
        with broker(folder, port), witness(folder, port) as seen:
            topic = "atalaya/v1/site-1/edge-1/state"
            edge = Process([ATALAYA, "edge", "-c", folder / "edge-1.yaml"], folder / "e1.log")
            wait_until("online", lambda: first(seen, topic, lambda p: p["state"] == "online"), 20)
            edge.end(signal.SIGKILL)
            wait_until("lost", lambda: first(seen, topic, lambda p: p["state"] == "lost"), 20)
            with Process([ATALAYA, "edge", "-c", folder / "edge-1.yaml"], folder / "e1.log") as e:
                wait_until("online again", lambda: len(
                    [p for p in payloads(seen, topic) if p["state"] == "online"]) == 2, 20)
                assert e.end() == 0
            assert list(payloads(seen, topic))[-1]["state"] == "stopping"


def a_broker_that_comes_late_is_found():
    with scratch() as folder:
        port = free_port()
        make_keys(folder)
        make_site(folder, 1)
        make_site(folder, 2)
        write_configs(folder, port)
        with Process([ATALAYA, "edge", "-c", folder / "edge-1.yaml"], folder / "e1.log") as edge:
            wait_until("the edge says that the broker is away",
                       lambda: f"127.0.0.1:{port}" in edge.text(), 20)
            with broker(folder, port), witness(folder, port) as seen:
                wait_until("online", lambda: first(
                    seen, "atalaya/v1/site-1/edge-1/state", lambda p: p["state"] == "online"), 30)


def reload_keeps_a_good_edge_running():
    with scratch() as folder:
        port = free_port()
        make_keys(folder)
        make_site(folder, 1)
        make_site(folder, 2)
        write_configs(folder, port)
        conf = folder / "edge-1.yaml"
        good = conf.read_text()
        with Process([ATALAYA, "edge", "-c", conf], folder / "e1.log") as edge:
            wait_until("running", lambda: "watches" in edge.text(), 20)
            conf.write_text(good + "nonsense: 1\n")
            edge.child.send_signal(signal.SIGHUP)
            wait_until("the error is logged", lambda: "unknown key 'nonsense'" in edge.text(), 10)
            assert edge.alive()
            conf.write_text(good.replace("step: 5s", "step: 4s"))
            edge.child.send_signal(signal.SIGHUP)
            wait_until("started again", lambda: edge.text().count("watches") == 2, 20)
            assert edge.end() == 0


if __name__ == "__main__":
    run_cases([the_whole_road, an_edge_killed_is_lost_and_comes_back,
               a_broker_that_comes_late_is_found, reload_keeps_a_good_edge_running])
