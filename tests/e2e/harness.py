# SPDX-License-Identifier: Apache-2.0
"""Small TAP runner and process helpers for the end-to-end tests (Python's standard library only)."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ATALAYA = os.environ["ATALAYA"]
DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", ""))

os.environ["PATH"] += ":/usr/sbin:/sbin"


class Skip(Exception):
    pass


def run_cases(cases):
    """Run functions in order; print TAP; never hide a failure."""
    print(f"1..{len(cases)}", flush=True)
    failed = False
    for number, case in enumerate(cases, 1):
        name = case.__name__
        try:
            case()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # noqa: BLE001: every failure is a result
            failed = True
            traceback.print_exc()
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(1 if failed else 0)


def need_data(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        raise Skip(f"no data at {path}; set ATALAYA_DATA")
    return path


def need_captures(*folders):
    """All captures below these folders; a folder that is there and holds none is a failure."""
    found = []
    for folder in folders:
        paths = sorted(p for p in need_data(folder).iterdir()
                       if p.suffix in (".pcap", ".pcapng", ".cap"))
        assert paths, f"no capture in {DATA / folder}"
        found += paths
    return found


def need_tool(name):
    if shutil.which(name) is None:
        raise Skip(f"{name} is not installed")


def atalaya(*args, timeout=120, **kwargs):
    return subprocess.run([ATALAYA, *map(str, args)], capture_output=True, text=True,
                          timeout=timeout, **kwargs)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, check, seconds):
    """Poll; return what check gave. The error names what was awaited."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        result = check()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(f"not seen within {seconds} s: {what}")


@contextlib.contextmanager
def scratch():
    path = pathlib.Path(tempfile.mkdtemp(prefix="atalaya-e2e-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Process:
    """A child whose stderr is kept in a file; ended with SIGTERM, then SIGKILL."""

    def __init__(self, args, log):
        self.log = log
        with open(log, "ab") as err:
            self.child = subprocess.Popen(list(map(str, args)), stdout=err, stderr=err,
                                          stdin=subprocess.DEVNULL)

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def end(self, how=signal.SIGTERM):
        if self.alive():
            self.child.send_signal(how)
        try:
            return self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.child.args[0]} did not end within 15 s of signal {how}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def broker(folder, port, name="broker", lines=""):
    need_tool("mosquitto")
    conf = folder / f"{name}.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                    f"max_queued_messages 20000\n{lines}")
    conf.chmod(0o644)
    process = Process(["mosquitto", "-c", conf], folder / f"{name}.log")

    def listening():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    wait_until("mosquitto listening", listening, 10)
    return process


def lasting_broker(folder, port, name="broker", lines=""):
    """As broker-setup would configure it, without TLS: what is saved late is lost by kill -9."""
    store = folder / f"{name}-store"
    store.mkdir(exist_ok=True)
    store.chmod(0o777)
    return broker(folder, port, name,
                  f"persistence true\npersistence_location {store}/\nautosave_on_changes true\n"
                  f"autosave_interval 100\n{lines}")


def witness(folder, port, topic="atalaya/v1/#"):
    """A subscriber that writes `topic payload` lines."""
    need_tool("mosquitto_sub")
    return Process(["mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", topic, "-F", "%t %p"],
                   folder / "witness.log")
