# SPDX-License-Identifier: Apache-2.0
"""Two mosquitto joined by a bridge: the edges on one, the hub on the other."""
import signal
import socket

from fleet import Fleet, rounds, wait_round
from harness import Process, free_port, need_tool, run_cases, scratch, wait_until, witness

# As docs/how-to/broker-clusters.md gives it.
BRIDGE = """connection to-core
address 127.0.0.1:{core}
remote_clientid site-broker
bridge_protocol_version mqttv50
cleansession false
restart_timeout 1 5
try_private true
notifications false
bridge_max_packet_size 1100000
topic atalaya/v1/fl/+/plan in 1
topic atalaya/v1/fl/+/model in 1
topic atalaya/v1/fl/+/round in 1
topic atalaya/v1/fl/+/ack/+ in 1
topic atalaya/v1/fl/+/up/+ out 1
topic atalaya/v1/+/+/state out 1
topic atalaya/v1/+/+/info out 1
topic atalaya/v1/+/+/metrics out 0
topic atalaya/v1/+/+/alert/+ out 1
topic atalaya/v1/+/+/event out 1
"""


def start_broker(folder, name, port, extra=""):
    store = folder / name
    store.mkdir(exist_ok=True)
    store.chmod(0o777)
    conf = folder / f"{name}.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                    f"persistence_location {store}/\nautosave_on_changes true\n"
                    "autosave_interval 100\nmax_queued_messages 20000\n"
                    f"max_packet_size 1100000\n{extra}")
    process = Process(["mosquitto", "-c", conf], folder / f"{name}.log")

    def listening():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    wait_until("mosquitto listening", listening, 10)
    return process


def a_round_over_a_bridge():
    need_tool("mosquitto")
    with scratch() as folder:
        core, site = free_port(), free_port()
        bridge = BRIDGE.format(core=core)
        with start_broker(folder, "core", core), witness(folder, core) as seen:
            far = start_broker(folder, "site", site, bridge)
            try:
                with Fleet(folder, f"mqtt://127.0.0.1:{site}", edges=2,
                           hub_url=f"mqtt://127.0.0.1:{core}", rounds=3, deadline="15s",
                           pause="2s") as fleet:
                    fleet.start_all()
                    done = wait_round(seen, 1)
                    assert sorted(done["participants"]) == ["edge-1", "edge-2"], done
                    far.end(signal.SIGKILL)
                    far = start_broker(folder, "site", site, bridge)
                    wait_round(seen, done["round"] + 1, 60)
                    for name in fleet.names:
                        wait_until(f"{name} works with a federated model", lambda n=name:
                                   '"flow_model":"round' in seen.text().rpartition(
                                       f"/{n}/metrics ")[2].partition("\n")[0], 20)
                    print(f"# rounds committed over the bridge: {sorted(rounds(seen))}")
            finally:
                far.end()


if __name__ == "__main__":
    run_cases([a_round_over_a_bridge])
