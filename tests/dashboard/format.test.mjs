// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerOf, checkBroker, withParameter } from '../../dashboard/src/broker.js';
import {
  ago, compact, duration, endpoint, exact, fixed, localTime, plural, power10, probability,
  quantity, span, utcTime, words,
} from '../../dashboard/src/format.js';
import { chartColumns, niceCeiling, sample } from '../../dashboard/src/series.js';

/** @param {(value: any) => string} fn @param {[any, string][]} cases */
function table(fn, cases) {
  for (const [value, expected] of cases)
    assert.equal(fn(value), expected, `${fn.name}(${value})`);
}

test('compact numbers have three digits and the right step', () => {
  table(compact, [
    [null, '–'], [undefined, '–'], [0, '0'], [7, '7'], [3.1, '3.1'], [0.25, '0.25'], [42.04, '42'],
    [42.25, '42.3'], [999, '999'], [999.4, '999'], [999.7, '1.00 k'], [1000, '1.00 k'],
    [12345, '12.3 k'], [99960, '100 k'], [999600, '1.00 M'], [1.07e9, '1.07 G'], [5e15, '5000 T'],
    [-2500, '-2.50 k'], [0.00012, '1.2 × 10⁻⁴'],
  ]);
});

test('units stand where people write them', () => {
  assert.equal(quantity(412, 'hosts'), '412 hosts');
  assert.equal(quantity(0.93, '1'), '0.93');
  assert.equal(quantity(1.07e9, 'bit/s'), '1.07 Gbit/s');
  assert.equal(quantity(4210, 'bytes'), '4.21 kB');
  assert.equal(quantity(118, 'bytes'), '118 bytes');
  assert.equal(quantity(182000, '/s'), '182 k/s');
  assert.equal(quantity(48210, 'flows'), '48.2 k flows');
  assert.equal(quantity(null, 'hosts'), '–');
});

test('a span names its unit once', () => {
  assert.equal(span(0, 1.344, 'flows'), '0 – 1.34 flows');
  assert.equal(span(7.58, 2490, 'bytes'), '7.58 bytes – 2.49 kB');
  assert.equal(span(2100, 2490, 'bytes'), '2.10 – 2.49 kB');
  assert.equal(span(0, 2490, 'bytes'), '0 – 2.49 kB');
  assert.equal(span(0, 0, '1'), '0');
  assert.equal(span(null, 0.13, 'flows'), '0.13 flows');
  assert.equal(span(null, null, 'flows'), '–');
});

test('exact numbers, probabilities and powers', () => {
  table(exact, [[null, '–'], [0, '0'], [-1, '-1'], [1234567, '1\u202f234\u202f567']]);
  table(probability, [
    [null, '–'], [0, '< 10⁻³⁰⁰'], [1e-9, '10⁻⁹'], [1.2e-9, '1.2 × 10⁻⁹'], [0.0123, '0.012'],
    [0.5, '0.50'],
  ]);
  table(power10, [[1e-5, '10⁻⁵'], [2.5e-6, '2.5 × 10⁻⁶'], [null, '–'], [1e12, '10¹²']]);
  assert.equal(fixed(0.966, 2), '0.97');
  assert.equal(fixed(null, 2), '–');
  assert.equal(plural(1, 'message'), '1 message');
  assert.equal(plural(2, 'message'), '2 messages');
});

test('durations and times', () => {
  table(duration, [
    [null, '–'], [-3, '0 s'], [59.9, '59 s'], [60, '1 min'], [3700, '1 h 1 min'],
    [90061, '1 d 1 h'],
  ]);
  assert.equal(ago(5000, 8000), '3 s ago');
  const noon = new Date(2026, 2, 1, 12, 5, 9).getTime();
  assert.equal(localTime(noon, noon + 3600e3), '12:05:09');
  assert.equal(localTime(noon, noon + 86400e3), '03-01 12:05:09');
  assert.equal(utcTime(Date.UTC(2026, 2, 1, 12, 5, 9)), '2026-03-01 12:05:09 UTC');
});

test('kinds become words, addresses keep their ports apart', () => {
  table(words, [
    ['horizontal_scan', 'Horizontal scan'], ['syn_flood', 'SYN flood'],
    ['dns_tunnel', 'DNS tunnel'], ['bytes_to_ip', 'Bytes to IP'], ['', ''],
    ['constructor', 'Constructor'],
  ]);
  assert.equal(endpoint('10.0.0.1', 80), '10.0.0.1:80');
  assert.equal(endpoint('2001:db8::1', 80), '[2001:db8::1]:80');
  assert.equal(endpoint('2001:db8::1', null), '2001:db8::1');
  assert.equal(endpoint('', null), '–');
});

test('the broker comes from the query, else from the server, else from a person', () => {
  const at = (/** @type {string} */ href) => brokerOf(new URL(href));
  assert.equal(at('http://box:9001/?broker=wss://b:8084/x'), 'wss://b:8084/x');
  assert.equal(at('http://box:9001/'), 'ws://box:9001');
  assert.equal(at('https://box/'), 'wss://box');
  assert.equal(at('file:///tmp/index.html'), '');
});

test('only a WebSocket address is a broker, and its password does not stay in it', () => {
  assert.deepEqual(checkBroker(' ws://box:9001 '),
    { url: 'ws://box:9001/mqtt', user: '', password: '', error: '' });
  assert.deepEqual(checkBroker('wss://ann:p%40ss@box/live'),
    { url: 'wss://box/live', user: 'ann', password: 'p@ss', error: '' });
  for (const text of ['', 'box:9001', 'mqtt://box', 'javascript:alert(1)', 'ws://'])
    assert.notEqual(checkBroker(text).error, '', text);
  // Half an escape is no reason to throw.
  assert.notEqual(checkBroker('ws://%zz@box').error, '');
});

test('the filter shares the query with the broker', () => {
  assert.equal(withParameter('?broker=ws://b', 'q', 'cadiz scan'),
    '?broker=ws%3A%2F%2Fb&q=cadiz+scan');
  assert.equal(withParameter('?q=x', 'q', ''), '');
});

test('between two readings the chart draws a line, over a long silence it does not', () => {
  const points = [[0, 10], [5000, 20], [60000, 90], [61000, null], [62000, 70]]
    .map(([at, packets]) => ({ at: Number(at), packets, bits: null }));
  assert.deepEqual(sample(points, 'packets', [-1000, 0, 2500, 5000, 30000, 60000, 61000, 99000]),
    [null, 10, 15, 20, null, 90, 80, null]);
  assert.deepEqual(sample(points, 'bits', [0]), [null]);
});

test('the chart has one column of seconds and one for each node', () => {
  const points = [{ at: 400000, packets: 7, bits: 1 }];
  const columns = chartColumns([{ points }], 'packets', 400900);
  assert.equal(columns.length, 2);
  assert.equal(columns[0].length, 301);
  assert.deepEqual([columns[0][0], columns[0].at(-1)], [100, 400]);
  assert.deepEqual([columns[1][0], columns[1].at(-1)], [null, 7]);
});

test('the axis ends at a round number just above', () => {
  table((v) => String(niceCeiling(v)), [
    [0, '1'], [NaN, '1'], [97, '100'], [99, '120'], [201000, '250000'], [9.9, '12'], [1, '1.5'],
  ]);
});
