// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOUNDS } from '../../dashboard/src/bounds.js';
import {
  beginSync, bySeverity, createStore, endSync, matches, receive,
} from '../../dashboard/src/store.js';
import { parseTopic } from '../../dashboard/src/topics.js';
import * as fleet from './fleet.mjs';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const [edge] = fleet.NODES;
const NODE = 'atalaya/v1/bilbao/edge-1';
const bytes = (/** @type {unknown} */ doc) =>
  new TextEncoder().encode(typeof doc === 'string' ? doc : JSON.stringify(doc));

/** @param {object} [change] */
const scan = (change) => fleet.alert(NOW, { ...fleet.SCAN, ...change });

/** @param {[string, unknown][]} messages topic below the first node, document */
function storeOf(messages) {
  const store = createStore();
  for (const [topic, doc] of messages)
    receive(store, `${NODE}/${topic}`, bytes(doc), NOW);
  return store;
}

test('topics of the contract are known, all others are not', () => {
  assert.deepEqual(parseTopic('atalaya/v1/a/b/metrics'),
    { channel: 'metrics', site: 'a', node: 'b' });
  assert.deepEqual(parseTopic('atalaya/v1/a/b/alert/x'),
    { channel: 'alert', site: 'a', node: 'b', id: 'x' });
  assert.deepEqual(parseTopic('atalaya/v1/fl/f/round'), { channel: 'round', federation: 'f' });
  const others = [
    '', 'atalaya', 'atalaya/v2/a/b/state', 'atalaya/v1/a/b', 'atalaya/v1/fl/f/plan',
    'atalaya/v1/a/b/alert', 'atalaya/v1/a/b/state/x', 'atalaya/v1//b/state',
    'atalaya/v1/a/<b>/state',
  ];
  for (const topic of others)
    assert.equal(parseTopic(topic), null, topic);
});

test('a node is put together from state, info and metrics', () => {
  const store = storeOf([
    ['state', fleet.state('online', NOW)],
    ['info', fleet.info(fleet.NODES[0], NOW)],
    ['metrics', fleet.metrics(fleet.NODES[0], NOW, 5000)],
  ]);
  const node = store.nodes.get('bilbao/edge-1');
  assert.equal(node?.state?.state, 'online');
  assert.equal(node?.info?.capture, 'dpdk net_af_xdp eth1');
  assert.equal(node?.metrics?.packetsPerS, 5000);
  assert.deepEqual(node?.metrics?.drops,
    [{ reason: 'truncated', packets: 4 }, { reason: 'bad_length', packets: 2 }]);
  assert.deepEqual(node?.points, [{ at: NOW, packets: 5000, bits: 5000 * 5900 }]);
  assert.equal(store.ignored, 0);
});

test('an alert keeps what the contract says, and comes from where its topic says', () => {
  const store = storeOf([[`alert/${fleet.SCAN.id}`, { ...scan(), site: 'elsewhere' }]]);
  const [alert] = store.alerts.values();
  assert.equal(alert.key, `bilbao/edge-1/${fleet.SCAN.id}`);
  assert.deepEqual([alert.severity, alert.kind, alert.entity, alert.role, alert.score],
    ['critical', 'horizontal_scan', '10.3.0.66', 'source', 0.97]);
  assert.equal(alert.raised, NOW - 96000);
  assert.deepEqual(alert.features[0],
    { name: 'peers', observed: 412, expected: 3.1, low: 1, high: 6.2, unit: 'hosts' });
  assert.deepEqual([alert.flow.source, alert.flow.sourcePort, alert.flow.bytesToTarget],
    ['10.3.0.66', 40112, 120]);
});

test('severity falls back to the EVE number, kind to its category', () => {
  const store = storeOf([['alert/a', { alert: { severity: 2, category: 'syn_flood' } }]]);
  const [alert] = store.alerts.values();
  assert.deepEqual([alert.severity, alert.kind, alert.raised], ['minor', 'syn_flood', NOW]);
});

test('open alerts are sorted by severity, then newest first', () => {
  const store = storeOf([
    ['alert/old', scan({ id: 'old', age: 500 })],
    ['alert/mild', scan({ id: 'mild', severity: 'warning', age: 1 })],
    ['alert/new', scan({ id: 'new', age: 5 })],
  ]);
  assert.deepEqual([...store.alerts.values()].sort(bySeverity).map((a) => a.id),
    ['new', 'old', 'mild']);
});

test('a clear told twice, in either order, is one cleared alert', () => {
  const clear = scan();
  clear.atalaya.change = 'clear';
  const tellings = [['event', clear], [`alert/${fleet.SCAN.id}`, '']];
  for (const order of [tellings, [...tellings].reverse()]) {
    const store = storeOf([[`alert/${fleet.SCAN.id}`, scan()], .../** @type {any} */ (order)]);
    assert.equal(store.alerts.size, 0);
    assert.deepEqual(store.cleared.map((a) => [a.id, a.clearedAt]), [[fleet.SCAN.id, NOW]]);
  }
});

test('an event that raises opens nothing: the retained alert does', () => {
  const store = storeOf([['event', scan()]]);
  assert.equal(store.alerts.size, 0);
  assert.equal(store.ignored, 0);
});

test('an alert raised again under its id leaves the cleared list', () => {
  const topic = `alert/${fleet.SCAN.id}`;
  const store = storeOf([[topic, scan()], [topic, ''], [topic, scan()]]);
  assert.equal(store.alerts.size, 1);
  assert.equal(store.cleared.length, 0);
});

test('what is not understood is counted and changes nothing', () => {
  const hostile = [
    '{', '[]', 'null', '7', '"x"', '\u0000', 'x'.repeat(BOUNDS.payloadBytes + 1),
  ];
  const store = storeOf(hostile.map((text) => ['metrics', text]));
  receive(store, 'other/topic', bytes({}), NOW);
  receive(store, `${NODE}/metrics`, new Uint8Array([0xff, 0xfe, 0x7b]), NOW);
  receive(store, `${NODE}/metrics`, new Uint8Array(), NOW);
  receive(store, `${NODE}/event`, bytes({}), NOW);
  assert.equal(store.ignored, hostile.length + 4);
  assert.equal(store.nodes.size, 0);
});

test('fields of a wrong type are read as missing', () => {
  const wrong = [null, true, 'text', 'constructor', -1, [], {}, [[]], { a: { b: 1 } }];
  for (const value of wrong) {
    const store = storeOf([
      ['state', { state: value, boot: value, ts: value }],
      ['info', { role: value, capture: value }],
      ['metrics',
        { packets: value, flows: value, rates: value, detector: value, federation: value }],
      ['alert/a', { atalaya: value, alert: value, flow: value, src_ip: value, timestamp: value }],
      ['alert/b', { atalaya: { top_features: value, severity: value, kind: value, score: value,
        attack_technique: value, raised: value } }],
    ]);
    receive(store, 'atalaya/v1/fl/f/round', bytes({ round: value, participants: value }), NOW);
    assert.equal(store.ignored, 0);
    assert.equal(store.alerts.size, 2);
    const node = store.nodes.get('bilbao/edge-1');
    assert.equal(node?.state?.state, 'unknown');
    assert.equal(node?.metrics?.packetsPerS, null);
    assert.equal([...store.alerts.values()][1].raised, NOW);
  }
});

test('when alerts have no room the least severe gives way', () => {
  const store = createStore();
  for (let i = 0; i < BOUNDS.alerts; i++)
    receive(store, `${NODE}/alert/m${i}`, bytes(scan({ severity: 'minor', age: i })), NOW);
  receive(store, `${NODE}/alert/warn`, bytes(scan({ severity: 'warning' })), NOW);
  receive(store, `${NODE}/alert/crit`, bytes(scan()), NOW);
  assert.equal(store.alerts.size, BOUNDS.alerts);
  assert.equal(store.overflow, 2);
  assert.ok(store.alerts.has('bilbao/edge-1/crit'));
  assert.ok(!store.alerts.has('bilbao/edge-1/warn'));
  assert.ok(!store.alerts.has(`bilbao/edge-1/m${BOUNDS.alerts - 1}`), 'the oldest minor one left');
});

test('every other collection is bounded too', () => {
  const store = createStore();
  for (let i = 0; i < BOUNDS.cleared + 5; i++) {
    receive(store, `${NODE}/alert/c${i}`, bytes(scan()), NOW + i);
    receive(store, `${NODE}/alert/c${i}`, bytes(''), NOW + i);
  }
  for (let i = 0; i < BOUNDS.nodes + 5; i++)
    receive(store, `atalaya/v1/s/n${i}/state`, bytes(fleet.state('online', NOW)), NOW);
  for (let i = 0; i < BOUNDS.federations + 5; i++)
    receive(store, `atalaya/v1/fl/f${i}/round`, bytes(fleet.round(NOW, 1)), NOW);
  for (let i = 0; i < BOUNDS.rounds + 5; i++)
    receive(store, 'atalaya/v1/fl/f0/round', bytes(fleet.round(NOW, i)), NOW);
  for (let i = 0; i < BOUNDS.points + 5; i++)
    receive(store, 'atalaya/v1/s/n0/metrics', bytes(fleet.metrics(edge, NOW, i)), NOW + i);
  assert.equal(store.cleared.length, BOUNDS.cleared);
  assert.equal(store.cleared[0].id, `c${BOUNDS.cleared + 4}`);
  assert.equal(store.nodes.size, BOUNDS.nodes);
  assert.equal(store.federations.size, BOUNDS.federations);
  assert.equal(store.federations.get('f0')?.length, BOUNDS.rounds);
  assert.equal(store.nodes.get('s/n0')?.points.length, BOUNDS.points);
});

test('points older than the window are dropped', () => {
  const store = createStore();
  for (const at of [NOW, NOW + 1000, NOW + 600000])
    receive(store, `${NODE}/metrics`, bytes(fleet.metrics(fleet.NODES[0], at, 1)), at);
  assert.deepEqual(store.nodes.get('bilbao/edge-1')?.points.map((p) => p.at), [NOW + 600000]);
});

test('a round is updated in place, rounds are newest first, a new epoch leads', () => {
  const store = createStore();
  const tell = (/** @type {object} */ doc) =>
    receive(store, 'atalaya/v1/fl/iberia/round', bytes(doc), NOW);
  tell(fleet.round(NOW, 8, { state: 'open' }));
  tell(fleet.round(NOW, 9, { state: 'open' }));
  tell(fleet.round(NOW, 8));
  tell(fleet.round(NOW, 1, { epoch: 2 }));
  assert.deepEqual(store.federations.get('iberia')?.map((r) => [r.epoch, r.round, r.state]),
    [[2, 1, 'committed'], [1, 9, 'open'], [1, 8, 'committed']]);
});

test('after a reconnect, alerts that the broker does not send again are cleared', () => {
  const store = storeOf([['alert/kept', scan()], ['alert/gone', scan()]]);
  beginSync(store);
  receive(store, `${NODE}/alert/kept`, bytes(scan()), NOW);
  receive(store, `${NODE}/alert/fresh`, bytes(scan()), NOW);
  endSync(store, NOW + 2000);
  assert.deepEqual([...store.alerts.keys()].sort(), ['bilbao/edge-1/fresh', 'bilbao/edge-1/kept']);
  assert.deepEqual(store.cleared.map((a) => a.id), ['gone']);
});

test('a filter wants every word somewhere', () => {
  assert.ok(matches('', ['bilbao']));
  assert.ok(matches('BIL scan', ['bilbao', 'Horizontal scan']));
  assert.ok(!matches('bilbao flood', ['bilbao', 'Horizontal scan']));
});
