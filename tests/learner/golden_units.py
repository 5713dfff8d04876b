#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The numbers of test_units.c, with NumPy: one private step, clipped by unit, without noise.

Every gradient is formed, row by row and in double: nothing is shared with the code under test.
"""
import numpy as np

DIMS, ROWS, LIMITS, ERROR_CLIP, ROW_SHARE = [6, 5, 3, 5, 6], 9, [0.05, 0.8], 3.0, 8
UNITS = [7, 3, 7, 7, 1, 3, 7, 9, 9]


def network():
    k, layers = 0, []
    for fan_in, fan_out in zip(DIMS, DIMS[1:]):
        count = (fan_in + 1) * fan_out
        values = 0.5 * np.sin(np.arange(k + 1, k + count + 1, dtype=float))
        values = values.astype(np.float32).astype(float)
        layers.append((values[: fan_in * fan_out].reshape(fan_out, fan_in), values[fan_in * fan_out:]))
        k += count
    return layers


def gradient(layers, x):
    inputs, a = [], x
    for l, (w, b) in enumerate(layers):
        inputs.append(a)
        a = w @ a + b
        if l + 1 < len(layers):
            a = np.maximum(a, 0)
    delta, parts = np.clip(a - x, -ERROR_CLIP, ERROR_CLIP) / len(x), []
    for l in reversed(range(len(layers))):
        parts.insert(0, np.concatenate([np.outer(delta, inputs[l]).ravel(), delta]))
        if l > 0:
            delta = (layers[l][0].T @ delta) * (inputs[l] > 0)
    return np.concatenate(parts)


def clipped_sum(gradients, limit):
    total = np.zeros_like(gradients[0])
    for unit in sorted(set(UNITS)):
        members = [g for g, u in zip(gradients, UNITS) if u == unit]
        if len(members) > 1:
            members = [g * min(1, ROW_SHARE * limit / np.linalg.norm(g)) for g in members]
        whole = sum(members)
        norm = np.linalg.norm(whole)
        print(f"limit {limit}: unit {unit} has norm {norm:.6f}")
        total += whole * min(1, limit / norm)
    return total


def main():
    layers = network()
    i, j = np.meshgrid(np.arange(ROWS), np.arange(DIMS[0]), indexing="ij")
    rows = (2 * np.cos(1.7 * i + 0.9 * j)).astype(np.float32).astype(float)
    gradients = [gradient(layers, row) for row in rows]
    for limit in LIMITS:
        total = clipped_sum(gradients, limit)
        print(f"limit {limit}: {{{np.linalg.norm(total):.9f}, {{" +
              ", ".join(f"{v:.9f}" for v in total[::7]) + "}}")


main()
