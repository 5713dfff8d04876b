# SPDX-License-Identifier: Apache-2.0
"""`atalaya forecast` as a person or a script meets it."""
import csv
import io
import json
import math
import random
import subprocess

from harness import ATALAYA, atalaya, run_cases, scratch

HEADER = "timestamp,value,expected,low,high,score"


def series(n=1500, seed=1, spike=None):
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        value = 100 + 30 * math.sin(2 * math.pi * i / 288) + rng.gauss(0, 1)
        rows.append((f"{1_700_000_000 + 300 * i}", f"{value + (500 if i == spike else 0):.3f}"))
    return rows


def text_of(rows, header="timestamp,value"):
    return "".join(f"{line}\n" for line in [header] + [",".join(row) for row in rows])


def rows_of(text):
    lines = text.splitlines()
    assert lines[0] == HEADER, lines[0]
    return list(csv.reader(io.StringIO("\n".join(lines[1:]))))


def one_row_out_per_row_in():
    rows = series(spike=1400)
    rows[700] = (rows[700][0], "")
    result = atalaya("forecast", "--csv", "-", input=text_of(rows))
    assert result.returncode == 0, result.stderr
    out = rows_of(result.stdout)
    assert [tuple(row[:2]) for row in out] == rows
    for row in out:
        expected, low, high, score = map(float, row[2:])
        assert low <= expected <= high and 0 <= score <= 1
        assert "nan" not in ",".join(row) and "inf" not in ",".join(row)
    assert float(out[700][5]) == 0
    scores = [float(row[5]) for row in out]
    assert scores[1400] >= 0.5 and scores[1400] == max(scores)
    assert "1500 rows every 300 s, 1 gaps" in result.stderr, result.stderr


def a_file_appears_whole_or_not_at_all():
    with scratch() as folder:
        good, bad, out = folder / "good.csv", folder / "bad.csv", folder / "out.csv"
        good.write_text(text_of(series()))
        bad.write_text(text_of(series()[:900] + [("1700999999", "many")]))
        result = atalaya("forecast", "--csv", bad, "--out", out)
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr
        assert "row 902" in result.stderr and "many" in result.stderr, result.stderr
        assert sorted(p.name for p in folder.iterdir()) == ["bad.csv", "good.csv"]
        result = atalaya("forecast", "--csv", good, "--out", out, "--json")
        assert result.returncode == 0 and result.stdout == "", result
        summary = json.loads(result.stderr)
        assert summary["rows"] == 1500 and summary["interval_s"] == 300, summary
        assert summary["outside"] < 40, summary
        assert len(rows_of(out.read_text())) == 1500


def a_pipe_is_answered_row_by_row():
    process = subprocess.Popen([ATALAYA, "forecast", "--csv", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for i, (stamp, value) in enumerate(series(50)):
            process.stdin.write(f"{stamp},{value}\n")
            process.stdin.flush()
            if i == 0:
                assert process.stdout.readline().strip() == HEADER
            # a row that is not there before the next is sent would hang here: the test times out
            assert process.stdout.readline().startswith(f"{stamp},{value},")
        process.stdin.close()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def two_runs_with_state_are_one():
    rows = series(3000)
    whole = rows_of(atalaya("forecast", "--csv", "-", input=text_of(rows)).stdout)
    with scratch() as folder:
        state, halves = folder / "link.state", []
        for part in (rows[:1111], rows[1111:]):
            result = atalaya("forecast", "--csv", "-", "--state", state, input=text_of(part))
            assert result.returncode == 0, result.stderr
            halves += rows_of(result.stdout)
        assert halves == whole
        result = atalaya("forecast", "--csv", "-", "--state", state, "--coverage", "0.9",
                         input=text_of(rows))
        assert result.returncode == 1 and "leave --interval" in result.stderr, result.stderr
        state.write_bytes(state.read_bytes()[:-1])
        result = atalaya("forecast", "--csv", "-", "--state", state, input=text_of(rows))
        assert result.returncode == 1 and "damaged" in result.stderr, result.stderr


def wrong_use_gets_one_line():
    for args, text, code, says in (
            ([], "", 2, "--csv is missing"),
            (["--csv", "-", "--coverage", "2"], "", 2, "coverage 2"),
            (["--csv", "-", "--risk", "x"], "", 2, "expected a number"),
            (["--csv", "-", "--interval", "-5"], "", 2, "interval"),
            (["--cvs", "-"], "", 2, "--csv"),
            (["--csv", "/nonexistent.csv"], "", 1, "/nonexistent.csv"),
            (["--csv", "-"], "", 1, "no rows"),
            (["--csv", "-"], "timestamp,value\n", 1, "no rows"),
            (["--csv", "-"], "timestamp,value\n2024-02-30 00:00:00,1\n", 1, "row 2"),
            (["--csv", "-"], "\0\0\0\n", 1, "row 1"),
            (["--csv", "-"], "1;2\n", 1, "row 1")):
        result = atalaya("forecast", *args, input=text)
        assert result.returncode == code and says in result.stderr, (args, result)
        assert len(result.stderr.splitlines()) == 1, (args, result.stderr)


run_cases([one_row_out_per_row_in, a_file_appears_whole_or_not_at_all,
           a_pipe_is_answered_row_by_row, two_runs_with_state_are_one, wrong_use_gets_one_line])
