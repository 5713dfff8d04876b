// SPDX-License-Identifier: Apache-2.0
/** The traffic chart's columns: one common axis of seconds, one column per node. */
import { GAP_MS, WINDOW_MS } from './bounds.js';

/** @typedef {import('./store.js').Point} Point */

/**
 * Value of a node at a moment: on the line between the two readings around it, or null in a gap.
 *
 * @param {Point[]} points oldest first
 * @param {'packets'|'bits'} what
 * @param {number[]} moments milliseconds, rising
 * @returns {(number | null)[]}
 */
export function sample(points, what, moments) {
  const read = points.flatMap(({ at, [what]: value }) => (value === null ? [] : [{ at, value }]));
  let next = 0;
  return moments.map((at) => {
    while (next < read.length && read[next].at < at)
      next++;
    const before = read[next - 1];
    const after = read[next];
    if (after && after.at === at)
      return after.value;
    if (!before || !after || after.at - before.at > GAP_MS)
      return null;
    const share = (at - before.at) / (after.at - before.at);
    return before.value + share * (after.value - before.value);
  });
}

/**
 * @param {{points: Point[]}[]} nodes
 * @param {'packets'|'bits'} what
 * @param {number} now milliseconds
 * @returns {(number | null)[][]} seconds since 1970, then one column per node
 */
export function chartColumns(nodes, what, now) {
  const end = Math.floor(now / 1000);
  const seconds = Array.from({ length: WINDOW_MS / 1000 + 1 }, (_, i) =>
    end - WINDOW_MS / 1000 + i);
  const moments = seconds.map((s) => s * 1000);
  return [seconds, ...nodes.map((node) => sample(node.points, what, moments))];
}

/**
 * A round number a little above the value: an axis that seldom moves.
 *
 * @param {number} value
 */
export function niceCeiling(value) {
  if (!(value > 0))
    return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((s) => s * unit >= value * 1.02) ?? 12;
  return step * unit;
}
