# SPDX-License-Identifier: Apache-2.0
"""Two mosquitto joined by a bridge: the edges on one, the hub on the other."""
import signal

from fleet import Fleet, rounds, wait_round
from harness import free_port, lasting_broker, need_tool, run_cases, scratch, wait_until, witness

SIZE = "max_packet_size 1100000\n"
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


def a_round_over_a_bridge():
    need_tool("mosquitto")
    with scratch() as folder:
        core, site = free_port(), free_port()
        bridge = BRIDGE.format(core=core)
        with lasting_broker(folder, core, "core", SIZE), witness(folder, core) as seen:
            far = lasting_broker(folder, site, "site", SIZE + bridge)
            try:
                with Fleet(folder, f"mqtt://127.0.0.1:{site}", edges=2,
                           hub_url=f"mqtt://127.0.0.1:{core}", rounds=3, deadline="15s",
                           pause="2s") as fleet:
                    fleet.start_all()
                    done = wait_round(seen, 1)
                    assert sorted(done["participants"]) == ["edge-1", "edge-2"], done
                    far.end(signal.SIGKILL)
                    far = lasting_broker(folder, site, "site", SIZE + bridge)
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
