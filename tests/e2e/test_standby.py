# SPDX-License-Identifier: Apache-2.0
"""Real mosquitto, two hubs and two edges: the one that leads is killed in the middle of a round."""
import json
import re
import signal
import time

from harness import ATALAYA, Process, atalaya, broker, free_port, run_cases, scratch, wait_until, witness
from test_federation import first, make_site, payloads

LEASE = 6
ROUND = "atalaya/v1/fl/test/round"
NODES = ("hub-a", "hub-b", "edge-1", "edge-2")


def write_configs(folder, port):
    both = "  hub: hub-a\n  standby: hub-b\n"
    for hub in NODES[:2]:
        (folder / f"{hub}.yaml").write_text(
            f"role: hub\nsite: core\nnode: {hub}\nstate_dir: {folder}/{hub}\n"
            f"broker:\n  url: mqtt://127.0.0.1:{port}\n  metrics_every: 1s\n"
            f"federation:\n  name: test\n  keys: {folder}/roster\n{both}  lease: {LEASE}s\n"
            "  quorum: 2\n  expected: 2\n  deadline: 20s\n  spread: 3s\n  pause: 1s\n  steps: 20\n"
            "  sample_rate: 0.05\n  noise_multiplier: 4\n")
    for n in (1, 2):
        (folder / f"edge-{n}.yaml").write_text(
            f"role: edge\nsite: site-{n}\nnode: edge-{n}\nstate_dir: {folder}/edge-{n}\n"
            f"capture:\n  device: {folder}/site-{n}.pcap\n  file: true\n  pace: true\n  speed: 20\n"
            "learning:\n  flow_rows: 3000\n"
            f"broker:\n  url: mqtt://127.0.0.1:{port}\n  metrics_every: 500ms\n"
            f"federation:\n  name: test\n{both}  keys: {folder}/roster\n")


def make_keys(folder):
    (folder / "roster").mkdir()
    for node in NODES:
        assert atalaya("keys", "--dir", folder / node / "keys", node).returncode == 0
        pub = folder / node / "keys" / f"{node}.pub"
        (folder / "roster" / pub.name).write_bytes(pub.read_bytes())


def hub(folder, name):
    return Process([ATALAYA, "hub", "-c", folder / f"{name}.yaml"], folder / f"{name}.log")


def committed(seen, above):
    """The first commit under a higher epoch than this."""
    return wait_until(f"a commit above epoch {above}", lambda: first(
        seen, ROUND, lambda p: p["state"] == "committed" and p["epoch"] > above), 60)


def kill_in_a_round(seen, leader):
    """@return the epoch that it led with"""
    already = len(list(payloads(seen, ROUND)))
    opened = wait_until("a new round", lambda: next(
        (p for p in list(payloads(seen, ROUND))[already:]
         if p["state"] == "open" and not p["participants"]), None), 60)
    leader.end(signal.SIGKILL)
    return opened


def hears_updates(between, name):
    """Has the broker noted that it subscribed to them?"""
    return re.search(rf" {name}-[0-9a-f]+ 1 atalaya/v1/fl/test/up/\+", between.text()) is not None


def takes_over(process, times, killed_at):
    wait_until("a new leader", lambda: process.text().count("this hub leads") == times, 2 * LEASE)
    took = time.monotonic() - killed_at
    assert took < 2 * LEASE, took
    print(f"# took over after {took:.1f} s, lease {LEASE} s", flush=True)


def one_charge_for_each_round(folder, edge, seen):
    result = atalaya("privacy", "ledger", "--json", folder / edge / "ledger")
    assert result.returncode == 0, result.stderr
    charges = [(c["epoch"], c["round"]) for c in json.loads(result.stdout)["lines"]]
    assert len(charges) == len(set(charges)), charges
    took_part = {(p["epoch"], p["round"]) for p in payloads(seen, ROUND)
                 if edge in p["participants"]}
    assert took_part <= set(charges), (took_part, charges)


def the_standby_takes_over_and_back():
    with scratch() as folder:
        port = free_port()
        make_keys(folder)
        make_site(folder, 1)
        make_site(folder, 2)
        write_configs(folder, port)
        with broker(folder, port, lines="log_type subscribe\n") as between, \
                witness(folder, port) as seen, \
                hub(folder, "hub-a") as a, hub(folder, "hub-b") as b, \
                Process([ATALAYA, "edge", "-c", folder / "edge-1.yaml"], folder / "e1.log") as e1, \
                Process([ATALAYA, "edge", "-c", folder / "edge-2.yaml"], folder / "e2.log") as e2:
            done = committed(seen, 0)
            assert "this hub leads" in a.text() and "this hub leads" not in b.text()

            assert hears_updates(between, "hub-a") and not hears_updates(between, "hub-b")

            opened = kill_in_a_round(seen, a)
            takes_over(b, 1, time.monotonic())
            later = committed(seen, opened["epoch"])
            assert later["round"] > opened["round"], (later, opened)
            assert sorted(later["participants"]) == ["edge-1", "edge-2"], later
            assert later["epsilon"] > done["epsilon"], (later, done)
            assert hears_updates(between, "hub-b")

            with hub(folder, "hub-a") as again:
                wait_until("the first one follows", lambda: first(
                    seen, "atalaya/v1/core/hub-a/metrics",
                    lambda p: p["federation"]["state"] == "standby" and
                    p["federation"]["round"] >= later["round"] and
                    p["federation"]["epsilon"] >= later["epsilon"] and
                    p["federation"]["quarantined"] == 0), 20)
                opened = kill_in_a_round(seen, b)
                assert opened["epoch"] == later["epoch"], "nobody took over without need"
                takes_over(again, 2, time.monotonic())
                last = committed(seen, opened["epoch"])
                assert last["round"] > opened["round"], (last, opened)
            for edge in (e1, e2):
                assert edge.end() == 0
            for edge in ("edge-1", "edge-2"):
                one_charge_for_each_round(folder, edge, seen)


def two_hubs_that_do_not_name_each_other_say_so():
    with scratch() as folder:
        make_keys(folder)
        write_configs(folder, 1883)
        conf = folder / "hub-a.yaml"
        text = conf.read_text()
        for bad, line in ((text.replace("hub: hub-a", "hub: hub-c"), "names this node, 'hub-a'"),
                          (text.replace("  hub: hub-a\n", ""), "federation.hub is missing"),
                          (text.replace("standby: hub-b", "standby: hub-a"), "another node")):
            conf.write_text(bad)
            result = atalaya("check", conf)
            assert result.returncode != 0 and line in result.stdout + result.stderr, result
        conf.write_text(text)
        (folder / "roster" / "hub-b.pub").unlink()
        result = atalaya("hub", "-c", conf, timeout=20)
        assert result.returncode != 0 and "hub-b.pub" in result.stderr, result.stderr


if __name__ == "__main__":
    run_cases([the_standby_takes_over_and_back, two_hubs_that_do_not_name_each_other_say_so])
