// SPDX-License-Identifier: Apache-2.0
/**
 * From bytes on a topic to documents of a known shape. A field that is missing or of the wrong
 * type becomes null (numbers, times) or '' (texts); only a payload that is no JSON object at all
 * is refused. Nothing behind this file needs to check a type again.
 */
import { BOUNDS } from './bounds.js';

const SEVERITIES = ['critical', 'major', 'minor', 'warning'];
/** EVE's 1, 2 and 3. */
const EVE_SEVERITIES = ['warning', 'major', 'minor', 'warning'];
const NODE_STATES = ['online', 'degraded', 'stopping', 'lost'];

/** @param {unknown} value */
const num = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);

/** @param {unknown} value */
export const text = (value) => (typeof value === 'string' ? value.slice(0, BOUNDS.textChars) : '');

/** @param {unknown} value @returns {Record<string, any>} */
const object = (value) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};

/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);

/** @param {unknown} value @returns {number | null} milliseconds since 1970 */
function time(value) {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/**
 * @param {Uint8Array} payload
 * @returns {Record<string, any> | null} null when this is no JSON object or too large
 */
export function parsePayload(payload) {
  if (payload.length === 0 || payload.length > BOUNDS.payloadBytes)
    return null;
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {Record<string, any>} doc */
export function readState(doc) {
  return {
    state: NODE_STATES.includes(doc.state) ? doc.state : 'unknown',
    boot: text(doc.boot),
    at: time(doc.ts),
  };
}

/** @param {Record<string, any>} doc */
export function readInfo(doc) {
  return {
    role: doc.role === 'hub' ? 'hub' : 'edge',
    version: text(doc.version),
    capture: text(doc.capture),
    config: text(doc.config_digest),
    started: time(doc.started),
  };
}

/** @param {unknown} value */
function readDrops(value) {
  return Object.entries(object(value))
    .filter(([, n]) => num(n) !== null && n > 0)
    .slice(0, BOUNDS.dropReasons)
    .map(([reason, n]) => ({ reason: text(reason), packets: /** @type {number} */ (n) }));
}

/** @param {Record<string, any>} doc */
export function readMetrics(doc) {
  const packets = object(doc.packets);
  const detector = object(doc.detector);
  const federation = object(doc.federation);
  const rates = object(doc.rates);
  return {
    uptimeS: num(doc.uptime_s),
    received: num(packets.received),
    drops: readDrops(packets.dropped),
    nicDropped: num(packets.nic_dropped),
    difference: num(packets.difference),
    flowsLive: num(object(doc.flows).live),
    flowsLost: num(object(doc.flows).lost),
    packetsPerS: num(rates.packets_per_s),
    bitsPerS: num(rates.bits_per_s),
    phase: text(detector.phase),
    rows: num(detector.rows),
    rowsNeeded: num(detector.rows_needed),
    scored: num(detector.scored),
    flowModel: text(detector.flow_model),
    hostModel: text(detector.host_model),
    suppressed: num(object(doc.alerts).suppressed),
    federation: text(federation.state) || 'off',
    round: num(federation.round),
    epsilon: num(federation.epsilon),
    budget: num(federation.budget),
    delta: num(federation.delta),
  };
}

/** @param {unknown} value */
function readFeatures(value) {
  return list(value)
    .map(object)
    .filter((f) => text(f.name) !== '' && num(f.observed) !== null)
    .slice(0, BOUNDS.features)
    .map((f) => ({
      name: text(f.name),
      observed: /** @type {number} */ (f.observed),
      expected: num(f.expected),
      low: num(f.low),
      high: num(f.high),
      unit: text(f.unit),
    }));
}

/** @param {Record<string, any>} doc */
function readFlow(doc) {
  const flow = object(doc.flow);
  return {
    source: text(doc.src_ip),
    sourcePort: num(doc.src_port),
    target: text(doc.dest_ip),
    targetPort: num(doc.dest_port),
    protocol: text(doc.proto),
    interface: text(doc.in_iface),
    packetsToTarget: num(flow.pkts_toserver),
    packetsToSource: num(flow.pkts_toclient),
    bytesToTarget: num(flow.bytes_toserver),
    bytesToSource: num(flow.bytes_toclient),
  };
}

/** @typedef {ReturnType<typeof readAlert>} Alert */

/**
 * Where the alert came from is taken from its topic: that is what the broker's ACL protects.
 *
 * @param {Record<string, any>} doc
 * @param {{site: string, node: string, id: string}} from
 * @param {number} now milliseconds, used where the document has no time
 */
export function readAlert(doc, from, now) {
  const own = object(doc.atalaya);
  const eve = object(doc.alert);
  const severity = SEVERITIES.includes(own.severity) ? own.severity
    : EVE_SEVERITIES[num(eve.severity) ?? 0] ?? 'warning';
  const raised = time(own.raised) ?? time(doc.timestamp) ?? now;
  return {
    key: `${from.site}/${from.node}/${from.id}`,
    id: from.id,
    site: from.site,
    node: from.node,
    severity,
    rank: SEVERITIES.indexOf(severity),
    kind: text(own.kind) || text(eve.category) || 'anomaly',
    entity: text(own.entity) || text(doc.src_ip),
    role: text(own.role),
    detector: text(own.detector),
    score: num(own.score),
    pValue: num(own.p_value),
    count: num(own.count),
    raised,
    updated: time(own.updated) ?? raised,
    change: text(own.change),
    features: readFeatures(own.top_features),
    hint: text(own.hint) || text(eve.signature),
    sentence: text(eve.signature),
    technique: /^T\d{4}(\.\d{3})?$/.test(own.attack_technique) ? own.attack_technique : '',
    model: text(own.model),
    community: text(doc.community_id),
    flow: readFlow(doc),
    document: doc,
  };
}

/** @typedef {ReturnType<typeof readRound>} Round */

/** @param {Record<string, any>} doc */
export function readRound(doc) {
  return {
    at: time(doc.ts),
    epoch: num(doc.epoch) ?? 0,
    round: num(doc.round) ?? 0,
    state: text(doc.state) || 'unknown',
    participants: list(doc.participants).map(text).filter(Boolean).slice(0, BOUNDS.participants),
    quorum: num(doc.quorum),
    epsilon: num(doc.epsilon),
    delta: num(doc.delta),
    bytes: num(doc.bytes),
    norm: num(doc.update_norm),
    model: text(doc.model),
  };
}
