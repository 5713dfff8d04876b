# SPDX-License-Identifier: Apache-2.0
"""`broker-setup`: its files carry a private round over mutual TLS, and its refusals are clear."""
import json
import os
import subprocess

from fleet import Fleet, wait_round
from harness import Process, atalaya, free_port, need_tool, run_cases, scratch, wait_until

CHECKS = ["start", "node", "viewer", "round trip", "foreign topic", "viewer writes",
          "no certificate", "password"]


def setup(folder, *args):
    result = atalaya("broker-setup", "--json", *args, folder / "broker-files")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def refused(*args):
    result = atalaya("broker-setup", *args)
    assert result.returncode != 0 and result.stderr.count("\n") == 1, result
    return result.returncode, result.stderr


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*"))
            if p.suffix in (".key", ".crt") or p.name == "password"}


def the_files_are_proved():
    need_tool("mosquitto")
    with scratch() as folder:
        doc = setup(folder, "--edge", "madrid/edge-1", "--federation", "iberia")
        assert doc["proof"]["state"] == "passed", doc["proof"]
        assert [c["check"] for c in doc["proof"]["checks"]] == CHECKS
        assert all(c["ok"] for c in doc["proof"]["checks"]), doc["proof"]
        assert doc["authority"] == "made"
        root = folder / "broker-files"
        for secret in ("ca.key", "nodes/edge-1/edge-1.key", "viewers/viewer/password"):
            assert (root / secret).stat().st_mode & 0o077 == 0, secret
        assert (root / "broker/server.key").stat().st_mode & 0o007 == 0


def again_adds_and_never_replaces():
    with scratch() as folder:
        setup(folder, "--no-proof", "--edge", "madrid/edge-1", "--federation", "iberia")
        root = folder / "broker-files"
        first = snapshot(root)
        doc = setup(folder, "--no-proof", "--edge", "lisboa/edge-2", "--viewer", "noc")
        second = snapshot(root)
        assert doc["federation"] == "iberia" and doc["authority"] == "kept", doc
        changed = [str(p) for p in first if first[p] != second[p]]
        assert not changed, changed
        assert {m["name"]: m["certificate"] for m in doc["members"]} == {
            "edge-1": "kept", "edge-2": "made", "hub": "kept", "viewer": "kept", "noc": "made"}
        acl = (root / "broker/acl").read_text()
        assert "topic write atalaya/v1/fl/iberia/up/edge-2\n" in acl
        assert "user noc\ntopic read atalaya/v1/#\n" in acl
        doc = setup(folder, "--no-proof", "--host", "broker.example.net")
        assert doc["server"] == "renewed", "the new name is not in the old certificate"
        assert snapshot(root)[next(p for p in first if p.name == "ca.key")] == first[
            next(p for p in first if p.name == "ca.key")]


def a_certificate_near_its_end_is_renewed():
    need_tool("openssl")
    with scratch() as folder:
        setup(folder, "--no-proof", "--edge", "madrid/edge-1")
        root = folder / "broker-files"
        node = root / "nodes/edge-1"
        subprocess.run(["openssl", "req", "-new", "-key", node / "edge-1.key", "-subj", "/CN=edge-1",
                        "-out", folder / "csr"], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", folder / "csr", "-CA", root / "ca.crt",
                        "-CAkey", root / "ca.key", "-set_serial", "1", "-days", "10", "-out",
                        node / "edge-1.crt"], check=True, capture_output=True)
        doc = setup(folder, "--no-proof")
        states = {m["name"]: m["certificate"] for m in doc["members"]}
        assert states == {"edge-1": "renewed", "hub": "kept", "viewer": "kept"}, states


def refusals_are_one_clear_line():
    with scratch() as folder:
        where = folder / "broker-files"
        assert "did you mean --host?" in refused("--hots", "x", where)[1]
        assert refused()[0] == 2
        assert "SITE/NODE" in refused("--edge", "edge-1", where)[1]
        assert "60 to 3650" in refused("--days", "1", where)[1]
        assert "DNS name" in refused("--host", "a,DNS:b", where)[1]
        assert "both 8883" in refused("--page-port", "8883", where)[1]
        assert not where.exists(), "a refused command left something behind"
        setup(folder, "--no-proof", "--edge", "madrid/edge-1")
        code, text = refused("--no-proof", "--edge", "lisboa/edge-1", where)
        assert code == 2 and "already the edge of madrid" in text, text
        (where / "ca.key").rename(folder / "away")
        code, text = refused("--no-proof", where)
        assert code == 1 and "bring the key back" in text, text
        (folder / "away").rename(where / "ca.key")
        (where / "setup.json").write_text("{}")
        assert "setup.json" in refused("--no-proof", where)[1]


def a_folder_the_broker_cannot_enter_is_named():
    need_tool("mosquitto")
    if os.geteuid() != 0:
        return  # then mosquitto runs as the same user
    with scratch() as folder:
        (folder / "shut").mkdir(mode=0o700)
        code, text = refused(folder / "shut" / "files")
        assert code == 1 and f"chmod o+x {folder}/shut" in text, text


def a_private_round_under_these_rights():
    need_tool("mosquitto")
    need_tool("mosquitto_sub")
    with scratch() as folder:
        port, page_port = free_port(), free_port()
        setup(folder, "--no-proof", "--edge", "site-1/edge-1", "--edge", "site-2/edge-2",
              "--federation", "test", "--port", port, "--page-port", page_port)
        root = folder / "broker-files"

        def tls(node):
            own = root / "nodes" / node
            return f"  ca: {own}/ca.crt\n  cert: {own}/{node}.crt\n  key: {own}/{node}.key\n"

        viewer = root / "viewers/viewer"
        (folder / "run").mkdir()
        os.chmod(folder / "run", 0o777)
        conf = folder / "run" / "mosquitto.conf"
        conf.write_text((root / "broker/atalaya.conf").read_text()
                        + f"\npersistence_location {folder}/run/\n")
        with Process(["mosquitto", "-c", conf], folder / "broker.log") as broker:
            wait_until("mosquitto running", lambda: "running" in broker.text(), 10)
            watch = ["mosquitto_sub", "-h", "localhost", "-p", port, "-t", "atalaya/v1/#", "--cafile",
                     viewer / "ca.crt", "--cert", viewer / "viewer.crt", "--key",
                     viewer / "viewer.key", "-F", "%t %p"]
            with Process(watch, folder / "witness.log") as seen, \
                    Fleet(folder, f"mqtts://localhost:{port}", edges=2, broker_lines=tls,
                          rounds=1) as fleet:
                fleet.start_all()
                done = wait_round(seen, 1)
                assert sorted(done["participants"]) == ["edge-1", "edge-2"], done
                for name in ("hub", "edge-1", "edge-2"):
                    refusals = [line for line in fleet.log(name).splitlines() if "refused" in line]
                    assert not refusals, (name, refusals)


if __name__ == "__main__":
    run_cases([the_files_are_proved, again_adds_and_never_replaces,
               a_certificate_near_its_end_is_renewed, refusals_are_one_clear_line,
               a_folder_the_broker_cannot_enter_is_named, a_private_round_under_these_rights])
