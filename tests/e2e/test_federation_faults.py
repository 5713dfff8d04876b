# SPDX-License-Identifier: Apache-2.0
"""kill -9 of an edge, the hub or the broker at every step of a round.

Real hub, three edges and mosquitto. Each round then commits or is cleanly abandoned, and a later
one commits; at the end everything that crossed the broker is checked by an independent reader:
one model for each round, the mean of exactly the updates it names; never two updates for one
(epoch, round) of an edge; none that is not in its ledger; every edge holds the hub's model.

Usage: test_federation_faults.py [--long]   long: every step with every victim, twice
"""
import collections
import json
import signal
import sys
import time

import wire
from fleet import Fleet, ledger
from harness import (Process, free_port, lasting_broker, need_tool, run_cases, scratch,
                     wait_until)

LONG = "--long" in sys.argv
EDGES = 3


class Witness(Process):
    """Writes down everything below the federation, in hex; connects again after a kill."""

    def __init__(self, folder, port):
        need_tool("mosquitto_sub")
        super().__init__(["mosquitto_sub", "-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", port, "-t",
                          "atalaya/v1/fl/test/#", "-F", "%t %x"], folder / "witness.log")
        self.read = 0
        self.rounds = collections.defaultdict(list)  # number → documents
        self.models = {}  # (round, hash) → values
        self.chunks = []

    def look(self):
        data = self.log.read_bytes()[self.read:]
        whole = data.rfind(b"\n") + 1
        self.read += whole
        for line in data[:whole].decode("ascii", "replace").splitlines():
            topic, _, payload = line.partition(" ")
            try:
                payload = bytes.fromhex(payload)
            except ValueError:
                continue  # mosquitto_sub's own messages
            if topic.startswith("atalaya/") and payload:
                self.take(topic.split("/", 4)[4], payload)
        return self

    def take(self, tail, payload):
        if tail == "round":
            doc = json.loads(payload)
            self.rounds[doc["round"]].append(doc)
        elif tail == "model":
            env = wire.envelope(payload)
            self.models[env.round, env.body[3]] = wire.floats(env.body[4].value)
        elif tail.startswith("up/"):
            self.chunks.append(wire.envelope(payload))

    def committed(self):
        return {n: doc for n, docs in self.look().rounds.items() for doc in docs
                if doc["state"] == "committed"}


class Stage:
    """Broker, witness and fleet, and where in their logs the present case began."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.broker = lasting_broker(folder, self.port)
        self.seen = Witness(folder, self.port)
        self.fleet = Fleet(folder, f"mqtt://127.0.0.1:{self.port}", edges=EDGES, rounds=0, quorum=2,
                           expected=EDGES, deadline="8s", steps=400, noise_multiplier=8,
                           norm_max=0)
        self.fleet.start_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.fleet.__exit__()
        self.seen.__exit__()
        self.broker.__exit__()

    def strike(self, victim):
        if victim == "broker":
            self.broker.end(signal.SIGKILL)
            time.sleep(0.3)
            self.broker = lasting_broker(self.folder, self.port)
        else:
            self.fleet.kill(victim)
            time.sleep(0.3)
            self.fleet.start(victim)

    def newest(self):
        return max(self.seen.look().rounds, default=0)

    def wait_log(self, name, begin, words, seconds=90):
        """A new line of a log, found within a few milliseconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = self.fleet.log(name)[begin:]
            if words in text:
                return
            time.sleep(0.004)
        raise AssertionError(f"{name} did not log: {words}")


def plan_published(stage, marks):
    stage.wait_log("hub", marks["hub"], "open: 0 of")


def training(stage, marks):
    stage.wait_log("hub", marks["hub"], "open: 0 of")
    time.sleep(0.15)  # training takes longer, see the edge's log


def chunks_sent(stage, marks):
    stage.wait_log("edge-1", marks["edge-1"], ", sending")


def stored_before_commit(stage, marks):
    stage.wait_log("hub", marks["hub"], "open: 1 of")


def commit_written(stage, marks):
    stage.wait_log("hub", marks["hub"], "committed: ")


def model_published(stage, marks):
    before = set(stage.seen.look().models)
    wait_until("a new model", lambda: set(stage.seen.look().models) - before, 40)


STEPS = [plan_published, training, chunks_sent, stored_before_commit, commit_written,
         model_published]
VICTIMS = ["edge-1", "hub", "broker"]
SHORT = [(plan_published, "broker"), (training, "edge-1"), (chunks_sent, "hub"),
         (stored_before_commit, "hub"), (stored_before_commit, "broker"),
         (commit_written, "hub")]


def one_fault(stage, step, victim):
    calm = max(stage.seen.committed())
    wait_until("a calm commit first", lambda: max(stage.seen.committed()) > calm, 90)
    marks = {name: len(stage.fleet.log(name)) for name in ("hub", *stage.fleet.names)}
    began = time.monotonic()
    step(stage, marks)
    struck = stage.newest()
    stage.strike(victim)
    wait_until(f"a commit after round {struck}, struck at {step.__name__} ({victim})",
               lambda: max(stage.seen.committed()) > struck, 90)
    last = [doc["state"] for doc in stage.seen.rounds[struck]][-1]
    print(f"# {step.__name__:21} {victim:7} round {struck:3} {last:10} next commit after "
          f"{time.monotonic() - began:4.1f} s", flush=True)


def check_updates(stage):
    """@return (base hash, edge) by (edge, epoch, round), and how many there were"""
    pieces = collections.defaultdict(dict)
    wholes = collections.defaultdict(set)
    for env in stage.seen.chunks:
        key = env.sender, env.epoch, env.round
        wholes[key].add(env.body[2])
        pieces[key][env.seq] = env.body[4]
    twice = [key for key, hashes in wholes.items() if len(hashes) > 1]
    assert not twice, f"two different updates for one round: {twice}"
    for name in stage.fleet.names:
        charged = {(line["epoch"], line["round"]) for line in ledger(stage.fleet.folder,
                                                                     name)["lines"]}
        released = {key[1:] for key in wholes if key[0] == name}
        assert released and released <= charged, (name, released - charged)
    return {key: b"".join(part for _, part in sorted(parts.items()))
            for key, parts in pieces.items()}


def check_models(stage, updates):
    """Each committed model is its base plus the mean of the updates that the round names."""
    by_round = collections.defaultdict(set)
    by_hash = {}
    for (number, digest), values in stage.seen.models.items():
        by_round[number].add(digest)
        by_hash[digest] = values
    twice = [n for n, hashes in by_round.items() if len(hashes) > 1]
    assert not twice, f"two models for one round: {twice}"
    bases = {(env.epoch, env.round): env.body[1] for env in stage.seen.chunks}
    checked = 0
    for number, doc in stage.seen.committed().items():
        moved = [key for key in updates if key[2] == number and key[0] in doc["participants"]]
        if not by_round[number] or len(moved) != len(doc["participants"]):
            continue  # the witness was cut off together with the broker
        base = by_hash.get(bases[moved[0][1:]])
        if base is None:
            continue
        digest, = by_round[number]
        assert digest.hex().startswith(doc["model"]), (number, doc)
        terms = [wire.update_floats(updates[key], len(base)) for key in moved]
        far = max(abs(new - old - sum(t[i] for t in terms) / len(terms))
                  for i, (new, old) in enumerate(zip(by_hash[digest], base)))
        assert far < 1e-5, (number, far)
        checked += 1
    return checked


def check_edges(stage):
    """When the hub is gone, everybody holds its last model."""
    assert stage.fleet.processes["hub"].end() == 0
    last = max(number for number, _ in stage.seen.look().models)
    digest, = [h for n, h in stage.seen.models if n == last]
    for name in stage.fleet.names:
        file = stage.fleet.folder / name / "federation" / "model.cbor"
        wait_until(f"{name} holds the model of round {last}",
                   lambda f=file: digest in f.read_bytes(), 10)


def run_matrix(cases):
    with scratch() as folder, Stage(folder) as stage:
        wait_until("the first commit", lambda: stage.seen.committed(), 60)
        for step, victim in cases:
            one_fault(stage, step, victim)
        check_edges(stage)
        checked = check_models(stage, check_updates(stage))
        commits = len(stage.seen.committed())
        print(f"# {commits} rounds committed, {checked} models recomputed from their updates",
              flush=True)
        assert checked >= commits // 2, (checked, commits)


def faults_at_chosen_steps():
    run_matrix(SHORT)


def every_step_with_every_victim():
    run_matrix([(step, victim) for step in STEPS for victim in VICTIMS] * 2)


if __name__ == "__main__":
    run_cases([every_step_with_every_victim] if LONG else [faults_at_chosen_steps])
