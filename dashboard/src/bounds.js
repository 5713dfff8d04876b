// SPDX-License-Identifier: Apache-2.0
/** Every collection of the page has a bound, so that no broker can fill the browser's memory. */
export const BOUNDS = Object.freeze({
  payloadBytes: 16384,
  alerts: 1000,
  cleared: 50,
  nodes: 256,
  federations: 16,
  rounds: 12,
  participants: 64,
  features: 8,
  dropReasons: 32,
  points: 600,
  textChars: 240,
});

/** What the traffic chart covers. */
export const WINDOW_MS = 5 * 60 * 1000;

/** Two readings further apart than this are drawn as a gap. */
export const GAP_MS = 16 * 1000;

/** An online node that has sent no metrics for this long is called silent. */
export const SILENT_MS = 20 * 1000;
