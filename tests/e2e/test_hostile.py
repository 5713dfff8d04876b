# SPDX-License-Identifier: Apache-2.0
"""Every hostile capture goes through `atalaya flows`: no crash, no sanitizer report, every packet counted."""
import json

from harness import atalaya, need_captures, run_cases


def every_malformed_capture():
    files = need_captures("malformed")
    packets = 0
    for path in files:
        result = atalaya("flows", "--json", path, timeout=30)
        assert result.returncode in (0, 1), (path.name, result.returncode, result.stderr[-2000:])
        assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr, (
            path.name, result.stderr[-2000:])
        assert "nan" not in result.stdout.lower() and "inf" not in result.stdout, path.name
        line = next(l for l in result.stderr.splitlines() if l.startswith("{"))
        for summary in json.loads(line)["files"]:
            assert summary["difference"] == 0, (path.name, summary)
            packets += summary["packets"]
        if result.returncode == 1:
            assert len([l for l in result.stderr.splitlines() if l.startswith("atalaya")]) == 1
    print(f"# {len(files)} files, {packets} packets")


def every_real_capture():
    for path in need_captures("benign", "attack", "mixed", "telecom", "encap"):
        result = atalaya("flows", "--format", "none", path, timeout=120)
        # one of them is cut short, and that is said
        assert result.returncode == 0 or "truncated" in result.stderr, (
            path.name, result.stderr[-2000:])
        assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr


if __name__ == "__main__":
    run_cases([every_malformed_capture, every_real_capture])
