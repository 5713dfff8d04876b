# SPDX-License-Identifier: Apache-2.0
"""What a person would do wrong: one clear line each, the right exit code, never a crash."""
import json
import re
import signal
import time

from harness import ATALAYA, Process, atalaya, run_cases, scratch, wait_until

VERBS = ["edge", "hub", "check", "doctor", "status", "stats", "reload", "evidence", "flows",
         "detect", "forecast", "train", "score", "model", "traffic", "privacy", "simulate", "keys",
         "broker-setup"]


def help_has_an_example():
    for verb in VERBS:
        result = atalaya(verb, "--help")
        assert result.returncode == 0 and "Example" in result.stdout, (verb, result)
    assert atalaya("--help").returncode == 0
    assert "atalaya 0." in atalaya("--version").stdout
    assert atalaya().returncode == 2


def unknown_words_get_a_suggestion():
    for args, near in ((["flow"], "flows"), (["detct"], "detect"), (["egde"], "edge"),
                       (["flows", "--formt", "csv", "x"], "--format"),
                       (["flows", "--format", "cvs", "x"], "csv")):
        result = atalaya(*args)
        assert result.returncode == 2, (args, result)
        assert near in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr


def missing_and_wrong_files():
    with scratch() as folder:
        text = folder / "notes.txt"
        text.write_text("this is no capture\n" * 20)
        for verb in ("flows", "detect"):
            for path in ("/nowhere/x.pcap", text, folder):
                result = atalaya(verb, path)
                assert result.returncode == 1, (verb, path, result)
                last = result.stderr.strip().splitlines()[-1]
                assert str(path) in last, last
                assert "incident" not in result.stderr, "unread is not free of incidents"
        for bad in ("/nowhere/m", text):
            result = atalaya("detect", "--model", bad, text)
            assert result.returncode == 1 and str(bad) in result.stderr, result
        scores = folder / "scores.csv"
        assert atalaya("detect", "--scores", scores, "/nowhere/x.pcap").returncode == 1
        assert not list(folder.glob("scores*"))
        for view in ("flow", "host", "link"):
            result = atalaya("flows", "--view", view, "-o", folder / "rows.csv", text)
            assert result.returncode == 1 and not list(folder.glob("rows*")), (view, result)
        for where in (folder, folder / "none" / "m", "/dev/full"):
            result = atalaya("detect", "--baseline", text, "--save-model", where)
            line = result.stderr.splitlines()  # before the baseline is read, which is no capture
            assert result.returncode == 1 and len(line) == 1 and str(where) in line[0], result
        result = atalaya("flows", "-o", folder, text)
        assert result.returncode == 1 and "a folder has this name" in result.stderr, result
        cut = folder / "empty.pcap"
        cut.write_bytes(b"")
        assert atalaya("flows", cut).returncode == 1


def check_reports_everything_at_once():
    with scratch() as folder:
        bad = folder / "edge.yaml"
        bad.write_text("role: edge\nsite: Madrid\nnode: e1\nstate_dir: /tmp/x\n"
                       "capture:\n  devise: eth0\nflows:\n  max: lots\n")
        result = atalaya("check", bad)
        assert result.returncode == 78
        for place in (":2:7:", ":6:3:", ":8:8:"):
            assert f"edge.yaml{place}" in result.stderr, result.stderr
        assert "did you mean 'capture.device'" in result.stderr
        errors = json.loads(atalaya("check", "--json", bad).stdout)["files"][0]
        assert not errors["ok"] and len(errors["errors"]) == 4
        assert atalaya("edge", "-c", bad).returncode == 78
        assert atalaya("hub", "-c", "/nowhere.yaml").returncode == 78


def shipped_configurations_are_good():
    import os
    for name in ("edge.yaml", "hub.yaml"):
        path = os.path.join(os.environ["ATALAYA_SOURCE"], "configs", name)
        result = atalaya("check", path)
        assert result.returncode == 0, result.stderr
        with open(path, encoding="utf8") as shipped, scratch() as folder:
            # what stands behind a comment sign is a key of today, too
            shown = re.sub(r"(?m)^(\s*)# ([a-z_]+:)", r"\1\2", shipped.read())
            bare = re.sub(r"(?m)^#   ([a-z_]+:)", r"  \1", shown)
            (folder / name).write_text(bare)
            result = atalaya("check", folder / name)
            assert result.returncode == 0, result.stderr


def keys_are_made_for_all_or_for_none():
    with scratch() as folder:
        for bad in ("two words", "../up", ".hidden", "x" * 40):
            result = atalaya("keys", "--dir", folder / "keys", "good", bad)
            assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result
            assert "expected 1 to 32 letters" in result.stderr, result.stderr
            assert not (folder / "keys").exists()


def an_edge_that_cannot_capture_says_why():
    with scratch() as folder:
        conf = folder / "edge.yaml"
        for backend, device, says in (("libpcap", "nosuchif0", "nosuchif0"),
                                      ("libpcap", "/nowhere/x.pcap", "/nowhere/x.pcap"),
                                      ("dpdk", "net_nosuch0", "net_nosuch0"),
                                      ("dpdk", "net_pcap0,rx_pcap=/nowhere", "/nowhere")):
            conf.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\ncapture:\n"
                            f"  backend: {backend}\n  device: {device}\n"
                            f"  file: {'true' if '/' in device else 'false'}\n")
            result = atalaya("edge", "-c", conf, timeout=30)
            assert result.returncode == 1, (device, result)
            lines = result.stderr.strip().splitlines()
            assert len(lines) == 1 and says in lines[0], (device, lines)


def small_edge(folder, *more):
    """Configuration of an edge that replays a short capture; returns its path."""
    pcap = folder / "s.pcap"
    if not pcap.exists():
        made = atalaya("traffic", "--duration", "60s", "--rate", "40", "--subscribers", "100",
                       "--snap", "96", "--out", pcap)
        assert made.returncode == 0, made.stderr
    conf = folder / "edge.yaml"
    conf.write_text(f"role: edge\nsite: a\nnode: e1\nstate_dir: {folder}/state\n"
                    f"capture:\n  device: {pcap}\n  file: true\n  pace: true\n  speed: 20\n"
                    "flows:\n  timeout_idle: 2s\n  timeout_active: 2s\n  timeout_udp: 2s\n"
                    "learning:\n  flow_rows: 300\n" + "".join(more))
    return conf


def a_word_to_end_is_heard_during_a_reload():
    with scratch() as folder:
        # nobody listens there: ending this life takes two seconds of trying to say good-bye
        conf = small_edge(folder, "broker:\n  url: mqtt://127.0.0.1:1\n")
        with Process([ATALAYA, "edge", "-c", conf], folder / "log") as edge:
            wait_until("running", lambda: "watches" in edge.text(), 20)
            conf.write_text(conf.read_text().replace("speed: 20", "speed: 10"))
            edge.child.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            assert edge.text().count("watches") == 1
            assert edge.end() == 0


def one_state_folder_serves_one_process():
    with scratch() as folder:
        conf = small_edge(folder)
        with Process([ATALAYA, "edge", "-c", conf], folder / "log") as edge:
            wait_until("running", lambda: "watches" in edge.text(), 20)
            second = atalaya("edge", "-c", conf, timeout=30)
            assert second.returncode == 1 and "in use by another atalaya" in second.stderr, second
            assert edge.alive()
        conf.write_text(conf.read_text().replace(f"{folder}/state", f"{folder}/s.pcap"))
        on_file = atalaya("edge", "-c", conf, timeout=30)
        assert on_file.returncode == 1 and "Not a directory" in on_file.stderr, on_file


def a_model_that_cannot_be_saved_works_all_the_same():
    with scratch() as folder:
        conf = small_edge(folder)
        (folder / "state" / "model.safetensors" / "in-the-way").mkdir(parents=True)
        with Process([ATALAYA, "edge", "-c", conf], folder / "log") as edge:
            wait_until("learned", lambda: "flow model learned" in edge.text(), 30)
            time.sleep(1)
            assert edge.text().count("flow model learned") == 1, edge.text()
            assert edge.text().count("a restart would lose it") == 1, edge.text()


if __name__ == "__main__":
    run_cases([help_has_an_example, unknown_words_get_a_suggestion, missing_and_wrong_files,
               check_reports_everything_at_once, shipped_configurations_are_good, keys_are_made_for_all_or_for_none,
               an_edge_that_cannot_capture_says_why,
               a_word_to_end_is_heard_during_a_reload, one_state_folder_serves_one_process,
               a_model_that_cannot_be_saved_works_all_the_same])
