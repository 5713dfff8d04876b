# SPDX-License-Identifier: Apache-2.0
"""The doctor on this machine and in a network namespace of its own."""
import json
import os
import subprocess

from harness import ATALAYA, atalaya, run_cases, scratch
from test_veth import Wire, in_space, ip, SPACE


def config(folder, backend, device, more=""):
    path = folder / "edge.yaml"
    path.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
                    f"capture:\n  backend: {backend}\n  device: {device}\n{more}")
    return path


def examine(path, inside=True):
    command = [ATALAYA, "doctor", "-c", str(path), "--json"]
    done = subprocess.run(in_space(*command) if inside else command, capture_output=True,
                          text=True, timeout=60)
    assert done.stderr == "", done.stderr
    doc = json.loads(done.stdout)
    assert done.returncode == (0 if doc["ok"] else 1), done
    for finding in doc["findings"]:
        assert finding["status"] in ("ok", "warn", "fail"), finding
        assert (finding["mend"] == "") == (finding["status"] == "ok"), finding
    return {f["check"]: f for f in doc["findings"]}


def the_machine_as_such():
    result = atalaya("doctor")
    assert result.returncode in (0, 1) and result.stderr == "", result
    assert all(line[:5].strip() in ("ok", "warn", "fail", "") for line in
               result.stdout.splitlines()), result.stdout


def kernels(core):
    """The finding when OpenBLAS is told which kernels to take, and when it is told nothing."""
    told = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    if core is not None:
        told["OPENBLAS_CORETYPE"] = core
    done = subprocess.run([ATALAYA, "doctor", "--json"], capture_output=True, text=True, env=told,
                          timeout=60)
    found = [f for f in json.loads(done.stdout)["findings"] if f["check"] == "kernels"]
    assert len(found) == 1, done
    return found[0]


def narrow_kernels_are_told():
    with open("/proc/cpuinfo", encoding="utf8") as info:
        flags = set(next((l for l in info if l.startswith("flags")), "").split())
    if "avx2" not in flags:
        return  # this machine cannot run the kernels of the test
    narrow = kernels("Haswell")
    assert "Haswell" in narrow["text"] and "256" in narrow["text"], narrow
    if not {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"} <= flags:
        assert narrow["status"] == "ok" and narrow["mend"] == "", narrow
        return
    assert narrow["status"] == "warn" and "512" in narrow["text"], narrow
    assert narrow["mend"].startswith("unset OPENBLAS_CORETYPE"), narrow
    assert kernels("SkylakeX")["status"] == "ok"
    own = kernels(None)  # an old library may not know the processor; its mend then names the core
    assert own["status"] == "ok" or "export OPENBLAS_CORETYPE=SkylakeX" in own["mend"], own


def what_is_wrong_comes_with_its_command():
    with scratch() as folder, Wire():
        good = examine(config(folder, "libpcap", "rx0"))
        assert good["device"]["status"] == "ok" and "rx0" in good["device"]["text"], good
        assert good["connections"]["status"] == "ok", good
        ip("-n", SPACE, "link", "set", "rx0", "down")
        down = examine(config(folder, "libpcap", "rx0"))["device"]
        assert down["status"] == "fail" and down["mend"] == "ip link set rx0 up", down
        # the command does mend it
        subprocess.run(in_space("sh", "-c", down["mend"]), check=True)
        assert examine(config(folder, "libpcap", "rx0"))["device"]["status"] == "ok"
        wrong = examine(config(folder, "libpcap", "rx9"))["device"]
        assert wrong["status"] == "fail" and "rx0" in wrong["text"] + wrong["mend"], wrong
        card = examine(config(folder, "dpdk", "0000:7f:1f.7"))
        if "backend" not in card:
            assert card["device"]["status"] == "fail" and "no such card" in card["device"]["text"]
            pmd = examine(config(folder, "dpdk", '"net_nosuch0,iface=rx0"'))["pmd"]
            assert pmd["status"] == "fail" and "librte-net-nosuch23" in pmd["mend"], pmd
            ready = examine(config(folder, "dpdk", '"net_af_packet0,iface=rx0"'))
            assert ready["pmd"]["status"] == "ok" and ready["device"]["status"] == "ok", ready


def a_default_route_is_seen():
    with scratch() as folder, Wire():
        for command in (["addr", "add", "192.0.2.2/24", "dev", "rx0"],
                        ["route", "add", "default", "via", "192.0.2.1"]):
            assert ip("-n", SPACE, *command).returncode == 0
        kept = examine(config(folder, "libpcap", "rx0"))["connections"]
        assert kept["status"] == "ok" and "default route" in kept["text"], kept


def bad_files_are_refused():
    with scratch() as folder:
        bad = folder / "bad.yaml"
        bad.write_text("role: edge\nsite: X\n")
        assert atalaya("doctor", "-c", bad).returncode == 78
        assert atalaya("doctor", "-c", "/nowhere.yaml").returncode == 78
        assert atalaya("doctor", "extra").returncode == 2
        missing = examine(config(folder, "libpcap", "/nowhere/a.pcap", "  file: true\n"), False)
        assert missing["device"]["status"] == "fail", missing
        cpu = atalaya("doctor", "-c", config(folder, "libpcap", "lo", "  cpus: [two]\n"))
        assert cpu.returncode == 78 and "found 'two'" in cpu.stderr, cpu


if __name__ == "__main__":
    run_cases([the_machine_as_such, narrow_kernels_are_told, what_is_wrong_comes_with_its_command,
               a_default_route_is_seen, bad_files_are_refused])
