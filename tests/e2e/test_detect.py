# SPDX-License-Identifier: Apache-2.0
"""`atalaya detect` on real attacks and on real quiet."""
import csv
import json

from harness import atalaya, need_data, need_tool, run_cases, scratch
import subprocess


def alerts(*args):
    result = atalaya("detect", *args, timeout=300)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def entities(found):
    return {a["atalaya"]["entity"] for a in found}


def factory_model_names_the_attacker():
    for parts, attacker in ((("mixed", "iot-malware-sweep.pcap"), "192.168.2.16"),
                            (("attack", "synscan.pcap"), "172.16.0.8"),
                            (("attack", "tcp_0_1000_20190821.pcap"), "172.31.15.102")):
        found = alerts(need_data(*parts))
        assert attacker in entities(found), (parts, found)
        worst = [a for a in found if a["atalaya"]["entity"] == attacker]
        assert any(a["atalaya"]["role"] == "source" for a in worst)
        assert any(a["atalaya"]["kind"].endswith("_scan") for a in worst), worst


def factory_model_names_the_victim_of_a_spoofed_flood():
    found = alerts(need_data("attack", "synflood-spoofed.pcap"))
    assert [a for a in found if a["atalaya"]["entity"] == "10.10.10.10"
            and a["atalaya"]["role"] == "target"], found


def a_hosts_own_past_names_what_is_usual_for_others():
    """Calls home and an upload after five minutes of ordinary life; a command after four."""
    for attack in ("beacon", "exfiltration"):
        with scratch() as folder:
            capture = folder / "made.pcap"
            made = atalaya("traffic", "--out", capture, "--profile", "residential", "--seed", 501,
                           "--site", 5, "--duration", "10m", "--rate", 40, "--snap", 96, "--attack", f"{attack}@5m+120s")
            assert made.returncode == 0, made.stderr
            found = [(a["atalaya"]["kind"], a["atalaya"]["role"]) for a in alerts(capture)]
            assert found == [(attack, "source")], found
    found = alerts(need_data("mixed", "modbus-fake-command.pcap"))
    assert {(a["atalaya"]["entity"], a["atalaya"]["kind"]) for a in found} == \
        {("192.168.1.101", "lateral_movement")}, found


def alert_is_whole():
    alert = alerts(need_data("attack", "synscan.pcap"))[0]
    for key in ("timestamp", "event_type", "src_ip", "dest_ip", "proto", "community_id", "alert",
                "flow", "atalaya"):
        assert key in alert, key
    inner = alert["atalaya"]
    assert 0.5 < inner["score"] <= 1 and 0 < inner["p_value"] < 0.01
    assert 1 <= len(inner["top_features"]) <= 5
    for feature in inner["top_features"]:
        assert set(feature) == {"name", "observed", "expected", "low", "high", "unit"}
        assert feature["low"] <= feature["expected"] <= feature["high"]
    assert inner["attack_technique"] == "T1046"


def split(path, folder):
    """First and second half in time, by editcap."""
    need_tool("editcap")
    info = subprocess.run(["capinfos", "-rTMaeS", str(path)], capture_output=True, text=True,
                          check=True).stdout.split("\t")
    first, last = float(info[1]), float(info[2])
    half = (first + last) / 2
    parts = []
    for name, begin, end in (("first", first - 1, half), ("second", half, last + 1)):
        out = folder / f"{name}.pcap"
        subprocess.run(["editcap", "-F", "pcap", "-A", f"{begin:.6f}", "-B", f"{end:.6f}",
                        str(path), str(out)], check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})
        parts.append(out)
    return parts


def a_quiet_week_stays_quiet():
    path = need_data("benign", "lockly-hub-01.pcap")
    with scratch() as folder:
        first, second = split(path, folder)
        for baseline in (path, first):
            found = alerts("--baseline", baseline, second)
            assert not found, (baseline, [a["alert"]["signature"] for a in found])


def scores_have_a_row_for_each_thing():
    path = need_data("attack", "synscan.pcap")
    with scratch() as folder:
        out = folder / "scores.csv"
        alerts("--scores", out, path)
        with open(out, encoding="utf8") as f:
            rows = list(csv.DictReader(f))
        assert list(rows[0]) == ["detector", "first", "last", "src", "src_port", "dst", "dst_port",
                                 "proto", "score", "p_value"]
        assert all(0 <= float(r["score"]) <= 1 and 0 < float(r["p_value"]) <= 1 for r in rows)
        assert any(r["detector"] == "host" and r["src"] == "172.16.0.8" and
                   float(r["score"]) > 0.5 for r in rows)


def a_saved_model_gives_the_same_alerts():
    normal = need_data("benign", "lockly-hub-01.pcap")
    attack = need_data("attack", "synscan.pcap")
    with scratch() as folder:
        model = folder / "m.safetensors"
        direct = alerts("--baseline", normal, "--save-model", model, attack)
        again = alerts("--model", model, attack)
        assert [a["atalaya"]["score"] for a in direct] == [a["atalaya"]["score"] for a in again]
        assert entities(direct) == entities(again) == {"172.16.0.8"}


def of_the_link(found):
    return [a for a in found if a["atalaya"]["role"] == "link"]


def a_flood_shows_on_the_link():
    """Seventy minutes of a small site, then three minutes of a flood."""
    for attack, names, technique in (("syn-flood", {"syn", "flows_begun"}, "T1498.001"),
                                     ("udp-flood", {"packets", "udp", "bytes"}, "T1498"),
                                     ("icmp-flood", {"icmp"}, "T1498.001")):
        with scratch() as folder:
            capture = folder / "flood.pcap"
            made = atalaya("traffic", "--out", capture, "--duration", "75m", "--rate", 2,
                           "--subscribers", 20, "--steady", "--snap", 96,
                           "--attack", f"{attack}@70m+3m:2000")
            assert made.returncode == 0, made.stderr
            found = of_the_link(alerts(capture))
            assert len(found) == 1, (attack, found)
            inner = found[0]["atalaya"]
            assert inner["kind"] == "volume_change" and inner["entity"] == "link", inner
            assert {f["name"] for f in inner["top_features"]} & names, inner["top_features"]
            assert inner["attack_technique"].startswith(technique), inner
            first = inner["top_features"][0]
            assert first["observed"] > 5 * first["expected"], first
            assert ", expected " in inner["hint"], inner["hint"]
            assert "2026-01-05T13:10:00" < inner["raised"] < "2026-01-05T13:11:01", inner["raised"]
            assert "src_ip" not in found[0]


def quiet_weeks_have_no_change_of_volume():
    for week in ("blink-cam-01", "lockly-hub-01", "ultraloq-hub-01"):
        found = of_the_link(alerts(need_data("benign", f"{week}.pcap")))
        assert not found, (week, found)


if __name__ == "__main__":
    run_cases([factory_model_names_the_attacker, factory_model_names_the_victim_of_a_spoofed_flood,
               a_hosts_own_past_names_what_is_usual_for_others,
               alert_is_whole, a_quiet_week_stays_quiet, scores_have_a_row_for_each_thing,
               a_saved_model_gives_the_same_alerts, a_flood_shows_on_the_link,
               quiet_weeks_have_no_change_of_volume])
