#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What a federation gains, what privacy and few bytes cost it, and what attackers can do to it:
`atalaya simulate` on NSL-KDD (first fifth of the training file, KDDTest+).

Three sites that see different services; then twenty edges by Dirichlet(0.5) over the services, four
of them hostile. Every run is repeated with seeds 1, 2 and 3 where its figure is a mean.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

DATA = pathlib.Path(os.environ.get("ATALAYA_DATA", "")) / "flows"
ATALAYA = os.environ["ATALAYA"]
SEEDS = (1, 2, 3)

TABLE = f"""
  train:
    - {DATA}/KDDTrain+_20Percent.txt
  test:
    - {DATA}/KDDTest+.txt
  label: "42"
  normal:
    - normal
  drop:
    - "43"
  column: "3"
  widths:
    - 48
    - 12
    - 48
"""
THREE = """
  partition: column
  groups:
    - web=http
    - infra=domain_u, smtp, private, ecr_i, eco_i, ntp_u
    - rest=*
"""
TWENTY = "  partition: dirichlet\n  edges: 20\n  alpha: 0.5\n  alone: 0\n"
PLAIN = {"rounds": 100, "steps": 10, "learning_rate": 0.005, "optimiser": "avgm", "momentum": 0.5}
PRIVATE = PLAIN | {"clip": 0.3, "sample_rate": 0.2}
ATTACKED = PLAIN | {"rounds": 30, "optimiser": "avg"}


def lines(keys):
    return "".join(f"  {k}: {v}\n" for k, v in keys.items())


def run(federation, partition, **keys):
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "federation.yaml"
        config.write_text("role: simulate\nfederation:\n" + lines(federation) + "simulate:" +
                          TABLE + partition.lstrip("\n") + lines(keys), encoding="utf8")
        done = subprocess.run([ATALAYA, "simulate", "-c", config], capture_output=True, text=True,
                              timeout=900, check=False)
        assert done.returncode == 0, done.stderr
        cost = json.loads((config.with_suffix(".run") / "cost.json").read_text())
        return json.loads(done.stdout.splitlines()[-1])["summary"], cost


def each_seed(federation, partition, **keys):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda s: run(federation, partition, seed=s, **keys)[0], SEEDS))


def mean(values):
    return sum(values) / len(values)


def federated(runs):
    return mean([r["auc"]["federated"] for r in runs])


def show(what, runs, more=""):
    every = ", ".join(f"{r['auc']['federated']:.4f}" for r in runs)
    print(f"# {what}: AUC {federated(runs):.4f} ({every}){more}")


def three_sites():
    plain = each_seed(PLAIN, THREE, private="false")
    pooled = mean([r["auc"]["pooled"] for r in plain])
    alone = [mean([r["sites"][i]["auc_alone_common"] for r in plain]) for i in range(3)]
    print("# three sites alone: AUC " + ", ".join(f"{a:.4f}" for a in alone))
    show("federated", plain, f"; pooled {pooled:.4f}")
    worst = min(mean([r["sites"][i]["auc_federated"] for r in plain]) for i in range(3))
    print(f"# the worst off site's own rows: AUC {worst:.4f} federated")
    base = federated(plain)
    assert pooled - base <= 0.005, (base, pooled)
    for epsilon, lost in ((8, 0.01), (2, 0.02)):
        runs = each_seed(PRIVATE, THREE, epsilon=epsilon, alone=0)
        show(f"epsilon {epsilon}", runs, f"; noise {runs[0]['noise_multiplier']:.3f}, "
             f"ledger {runs[0]['epsilon']:.3f}")
        assert all(r["epsilon"] <= epsilon for r in runs)
        assert base - federated(runs) <= lost, (base, federated(runs))


def four_bits():
    plain = each_seed(PLAIN, THREE, private="false", alone=0)
    small = each_seed(PLAIN | {"encoding": "rotated4"}, THREE, private="false", alone=0)
    share = mean([r["share_of_float32"] for r in small])
    encoded = (4 + (small[0]["params"] + 1) // 2) / (4 * small[0]["params"])
    show("float32", plain)
    show("rotated4", small, f"; {100 * encoded:.2f} % of float32, {100 * share:.2f} % signed and "
         f"sent ({small[0]['params']} parameters)")
    assert encoded <= 0.126, encoded
    assert federated(plain) - federated(small) < 0.005


def attackers():
    attacks = ("sign_flip", "x10", "alie", "nan", "replay")
    defences = {"none": {}, "centred clipping": {"rule": "centred"}, "canary": {}}
    for name, keys in defences.items():
        rows = 1000 if name == "canary" else 0
        base = ATTACKED | keys
        quiet = run(base, TWENTY, private="false", canary_rows=rows)[0]["auc"]["federated"]
        found = {}
        for attack in attacks:
            summary = run(base, TWENTY, private="false", canary_rows=rows, attackers=0.2,
                          attack=attack)[0]
            found[attack] = quiet - summary["auc"]["federated"]
            if attack in ("nan", "replay"):
                assert summary["hostile_updates_counted"] == 0, (name, attack, summary)
                # each round each attacker: one update, or its last one, another's, and that again
                want = 30 * 4 if attack == "nan" else 30 * 4 * 3 - 4
                assert summary["refused"] == want, (name, attack, summary["refused"])
        print(f"# defence {name}: quiet {quiet:.4f}, lost to " +
              ", ".join(f"{a} {loss:+.4f}" for a, loss in found.items()))
        if name != "none":
            assert max(found.values()) <= 0.02, (name, found)


def a_thousand_edges():
    for edges in (100, 300, 1000):
        crowd = TWENTY.replace("20", str(edges))
        summary, cost = run(PRIVATE | {"rounds": 2, "encoding": "rotated4"}, crowd, epsilon=8)
        print(f"# {edges:,} edges, 2 rounds: {cost['wall_seconds']:.1f} s, "
              f"{cost['cpu_seconds']:.1f} s of processor, {cost['rss_kib_max'] / 1024:.0f} MiB, "
              f"{summary['bytes_up'] / 2e6:.1f} MB up and {summary['bytes_down'] / 2e6:.1f} MB down "
              f"a round, AUC {summary['auc']['federated']:.4f}")
        assert summary["commits"] == 2
        assert cost["rss_kib_max"] < 1 << 20


def main():
    if not (DATA / "KDDTest+.txt").exists():
        print("1..0 # SKIP no NSL-KDD below ATALAYA_DATA")
        return 0
    parts = [three_sites, four_bits, attackers, a_thousand_edges]
    wanted = [p for p in parts if len(sys.argv) < 2 or p.__name__ in sys.argv[1:]]
    print(f"1..{len(wanted)}")
    bad = 0
    for number, part in enumerate(wanted, 1):
        try:
            part()
            print(f"ok {number} - {part.__name__}", flush=True)
        except AssertionError as error:
            bad += 1
            print(f"not ok {number} - {part.__name__}\n# {error}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
