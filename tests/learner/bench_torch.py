#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network of bench_learner in PyTorch, on one thread, and how many times as fast ours is.

usage: bench_torch.py BENCH_LEARNER      (Debian: apt-get install python3-torch)
The two take turns, three times; the best of each counts, by processor time.
"""
import os
import re
import subprocess
import sys
import time

COLUMNS, ROWS, BATCH, PASSES, TURNS = 80, 16384, 256, 2, 3


def network(torch):
    layers, widths = [], [COLUMNS, 64, 16, 64, COLUMNS]
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def train(torch, net, rows):
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    loss = torch.nn.HuberLoss(delta=3.0)
    begun = time.process_time()
    for _ in range(PASSES):
        order = torch.randperm(ROWS)
        for at in range(0, ROWS, BATCH):
            x = rows[order[at : at + BATCH]]
            optimiser.zero_grad(set_to_none=True)
            loss(net(x), x).backward()
            optimiser.step()
    return PASSES * ROWS / (time.process_time() - begun)


def score(torch, net, rows, scale):
    begun = time.process_time()
    with torch.inference_mode():
        for _ in range(PASSES):
            for at in range(0, ROWS, BATCH):
                x = rows[at : at + BATCH]
                ((net(x) - x).abs() * scale).square_().mean(dim=1)
    return PASSES * ROWS / (time.process_time() - begun)


def ours(program):
    text = subprocess.run([program], check=True, capture_output=True, text=True, timeout=300).stdout

    def rate(name):  # the first one: batch 256 comes first
        return float(re.search(rf"^ *{name} +(\d+) rows/s", text, re.M).group(1))

    return {"training": rate("plain training"), "scoring": rate("scoring")}


def main():
    # set_num_threads leaves OpenBLAS's own threads running, and they wait at full speed
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    try:
        import torch
    except ImportError:
        print("SKIP: no PyTorch for", sys.executable)
        return 77
    torch.set_num_threads(1)
    torch.manual_seed(1)
    hidden = torch.randn(ROWS, 8)
    rows = hidden @ torch.randn(8, COLUMNS)
    scale, net, best = torch.ones(COLUMNS), network(torch), {}
    for _ in range(TURNS):
        mine = ours(sys.argv[1])
        theirs = {"training": train(torch, net, rows), "scoring": score(torch, net, rows, scale)}
        for what in mine:
            pair = (mine[what], theirs[what])
            best[what] = tuple(map(max, pair, best.get(what, (0, 0))))
    print(f"PyTorch {torch.__version__}, batch {BATCH}, one thread")
    for what, (mine, theirs) in best.items():
        print(f"{what:10} {mine:10.0f} rows/s, PyTorch {theirs:8.0f}: {mine / theirs:.1f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
