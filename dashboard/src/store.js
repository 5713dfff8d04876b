// SPDX-License-Identifier: Apache-2.0
/**
 * What the page knows. Plain data and plain functions, no clock and no browser: the caller brings
 * the time, so that a test can too.
 */
import { BOUNDS, WINDOW_MS } from './bounds.js';
import {
  parsePayload, readAlert, readInfo, readMetrics, readRound, readState, text,
} from './documents.js';
import { parseTopic } from './topics.js';

/** @typedef {import('./documents.js').Alert} Alert */
/** @typedef {import('./documents.js').Round} Round */
/** @typedef {{at: number, packets: number | null, bits: number | null}} Point */
/**
 * @typedef {object} Node
 * @property {string} key
 * @property {string} site
 * @property {string} name
 * @property {ReturnType<typeof readState> | null} state
 * @property {ReturnType<typeof readInfo> | null} info
 * @property {ReturnType<typeof readMetrics> | null} metrics
 * @property {number | null} metricsAt when the last metrics arrived
 * @property {Point[]} points oldest first
 */
/** @typedef {Alert & {clearedAt: number}} ClearedAlert */

export function createStore() {
  return {
    /** @type {Map<string, Node>} */ nodes: new Map(),
    /** @type {Map<string, Alert>} */ alerts: new Map(),
    /** @type {ClearedAlert[]} newest first */ cleared: [],
    /** @type {Map<string, Round[]>} newest first */ federations: new Map(),
    /** @type {Set<string> | null} open alerts not yet confirmed after a reconnect */
    unconfirmed: null,
    messages: 0,
    ignored: 0,
    /** alerts that found no room */ overflow: 0,
    /** @type {number | null} */ lastMessageAt: null,
  };
}

/** @typedef {ReturnType<typeof createStore>} Store */

/**
 * @param {Store} store
 * @param {string} site
 * @param {string} name
 * @returns {Node | null} null when the table is full
 */
function nodeOf(store, site, name) {
  const key = `${site}/${name}`;
  const known = store.nodes.get(key);
  if (known)
    return known;
  if (store.nodes.size >= BOUNDS.nodes)
    return null;
  const node = {
    key, site, name, state: null, info: null, metrics: null, metricsAt: null, points: [],
  };
  store.nodes.set(key, node);
  return node;
}

/** @param {Alert} a @param {Alert} b most severe first, then newest */
export const bySeverity = (a, b) =>
  a.rank - b.rank || b.raised - a.raised || (a.key < b.key ? -1 : 1);

/** @param {Store} store @param {Alert} alert */
function openAlert(store, alert) {
  store.unconfirmed?.delete(alert.key);
  if (!store.alerts.has(alert.key) && store.alerts.size >= BOUNDS.alerts) {
    const least = [...store.alerts.values()].sort(bySeverity).at(-1);
    store.overflow++;
    if (!least || bySeverity(least, alert) < 0)
      return;
    store.alerts.delete(least.key);
  }
  store.cleared = store.cleared.filter((c) => c.key !== alert.key);
  store.alerts.set(alert.key, alert);
}

/**
 * The broker tells of a clear twice, by an event and by an empty retained payload, in any order.
 *
 * @param {Store} store @param {string} key
 * @param {Alert | undefined} last the document of the clear, or the last one known
 * @param {number} at
 */
function clearAlert(store, key, last, at) {
  store.unconfirmed?.delete(key);
  store.alerts.delete(key);
  if (!last || store.cleared.some((c) => c.key === key))
    return;
  store.cleared = [{ ...last, clearedAt: at }, ...store.cleared]
    .sort((a, b) => b.clearedAt - a.clearedAt)
    .slice(0, BOUNDS.cleared);
}

/** @param {Store} store @param {string} federation @param {Round} round */
function addRound(store, federation, round) {
  const known = store.federations.get(federation) ?? [];
  if (known.length === 0 && store.federations.size >= BOUNDS.federations)
    return false;
  const others = known.filter((r) => r.epoch !== round.epoch || r.round !== round.round);
  store.federations.set(federation, [round, ...others]
    .sort((a, b) => b.epoch - a.epoch || b.round - a.round)
    .slice(0, BOUNDS.rounds));
  return true;
}

/** @param {Node} node @param {Record<string, any>} doc @param {number} now */
function addMetrics(node, doc, now) {
  node.metrics = readMetrics(doc);
  node.metricsAt = now;
  node.points.push({ at: now, packets: node.metrics.packetsPerS, bits: node.metrics.bitsPerS });
  const oldest = now - WINDOW_MS - 30000;
  const stale = node.points.findIndex((p) => p.at >= oldest);
  node.points.splice(0, Math.max(stale, node.points.length - BOUNDS.points));
}

/**
 * @param {Store} store
 * @param {{channel: string, site: string, node: string, id?: string}} from
 * @param {Record<string, any>} doc
 * @param {number} now
 * @returns {boolean} whether it was used
 */
function receiveDocument(store, from, doc, now) {
  const id = from.id ?? text(doc.atalaya?.id);
  if (from.channel === 'alert' || from.channel === 'event') {
    if (id === '')
      return false;
    const alert = readAlert(doc, { site: from.site, node: from.node, id }, now);
    if (alert.change === 'clear')
      clearAlert(store, alert.key, alert, now);
    else if (from.channel === 'alert')
      openAlert(store, alert);
    return true;
  }

  const node = nodeOf(store, from.site, from.node);
  if (!node)
    return false;
  if (from.channel === 'state')
    node.state = readState(doc);
  else if (from.channel === 'info')
    node.info = readInfo(doc);
  else
    addMetrics(node, doc, now);
  return true;
}

/** @param {Store} store @param {any} from @param {number} now An empty payload removes. */
function receiveEmpty(store, from, now) {
  if (from.channel === 'alert') {
    const key = `${from.site}/${from.node}/${from.id}`;
    clearAlert(store, key, store.alerts.get(key), now);
    return true;
  }
  if (from.channel === 'state')
    return store.nodes.delete(`${from.site}/${from.node}`);
  if (from.channel === 'round')
    return store.federations.delete(from.federation);
  return false;
}

/**
 * Takes one message in. Never throws, whatever the bytes are.
 *
 * @param {Store} store
 * @param {string} topic
 * @param {Uint8Array} payload
 * @param {number} now milliseconds since 1970
 */
export function receive(store, topic, payload, now) {
  store.messages++;
  store.lastMessageAt = now;
  const from = parseTopic(topic);
  const doc = from && payload.length > 0 ? parsePayload(payload) : null;

  let used = false;
  if (from && payload.length === 0)
    used = receiveEmpty(store, from, now);
  else if (from && doc)
    used = from.channel === 'round' ? addRound(store, from.federation, readRound(doc))
      : receiveDocument(store, from, doc, now);
  if (!used)
    store.ignored++;
}

/**
 * An alert that was cleared while the link was down leaves no message behind. So after a
 * reconnect every open alert must be sent again by the broker, or it goes.
 *
 * @param {Store} store
 */
export function beginSync(store) {
  store.unconfirmed = new Set(store.alerts.keys());
}

/** @param {Store} store @param {number} now */
export function endSync(store, now) {
  const gone = store.unconfirmed ?? [];
  for (const key of gone)
    clearAlert(store, key, store.alerts.get(key), now);
  store.unconfirmed = null;
}

/** @param {string} query @param {string[]} words every word must be found somewhere */
export function matches(query, words) {
  const hay = words.join(' ').toLowerCase();
  return query.toLowerCase().split(/\s+/).every((needle) => hay.includes(needle));
}
