# SPDX-License-Identifier: Apache-2.0
"""A federation whose protected unit is a host: what it commits, charges and refuses."""
from fleet import Fleet, ledger, wait_round
from harness import broker, free_port, need_tool, run_cases, scratch, wait_until, witness


def hosts_are_protected_and_who_protects_flows_stays_out():
    need_tool("mosquitto")
    with scratch() as folder:
        port = free_port()
        with broker(folder, port), witness(folder, port) as seen, \
                Fleet(folder, f"mqtt://127.0.0.1:{port}", edges=3, unit="host", quorum=2,
                      expected=2, rounds=1) as fleet:
            other = folder / "edge-3.yaml"
            other.write_text(other.read_text().replace("unit: host", "unit: flow"))
            fleet.start_all()
            done = wait_round(seen, 1)
            assert sorted(done["participants"]) == ["edge-1", "edge-2"], done
            wait_until("edge-3 says why it stays out", lambda: (
                "a plan for privacy unit 'host', ours is 'flow': federation.unit must be the same"
                in fleet.log("edge-3")), 10)
            for name, charges in (("edge-1", 1), ("edge-2", 1), ("edge-3", 0)):
                book = ledger(folder, name)
                assert book["charges"] == charges, (name, book)
                assert book["unit"] == ("host" if charges else "flow"), (name, book)


if __name__ == "__main__":
    run_cases([hosts_are_protected_and_who_protects_flows_stays_out])
