// SPDX-License-Identifier: Apache-2.0
/** Documents of the contract, as a fleet of three edges and one hub would publish them. */

const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();

export const NODES = [
  {
    site: 'bilbao', node: 'edge-1', role: 'edge', capture: 'dpdk net_af_xdp eth1',
    pps: 182000, size: 5900,
  },
  {
    site: 'cadiz', node: 'edge-2', role: 'edge', capture: 'libpcap ens5',
    pps: 96500, size: 6400,
  },
  {
    site: 'lugo', node: 'edge-3', role: 'edge', capture: 'libpcap ens5',
    pps: 41200, size: 5200,
  },
  {
    site: 'core', node: 'hub-1', role: 'hub', capture: '',
    pps: 0, size: 0,
  },
];

/** @param {any} n @param {number} now */
export const info = (n, now) => ({
  schema: 1, role: n.role, version: '0.1.0', site: n.site, node: n.node, boot: '00c0ffee00c0ffee',
  started: iso(now - 7.3e6), capture: n.capture, config_digest: '9a2f00d1b7c3e4f5',
  schemas: { flow: '1f2e3d4c5b6a7980', host: '0a1b2c3d4e5f6071' },
});

/** @param {string} state @param {number} now */
export const state = (state, now) => ({ schema: 1, state, boot: '00c0ffee00c0ffee', ts: iso(now) });

/** @param {any} n @param {number} now @param {number} pps @param {object} [change] */
export const metrics = (n, now, pps, change = {}) => ({
  schema: 1, ts: iso(now), uptime_s: 7300,
  packets: {
    received: 981234567, processed: 981234561, dropped: { truncated: 4, bad_length: 2 },
    nic_dropped: 0, difference: 0,
  },
  bytes: 712345678901,
  flows: { live: Math.round(pps * 0.41), created: 48211345, exported: 48136000, lost: 0 },
  rates: { packets_per_s: pps, bits_per_s: pps * n.size, flows_per_s: pps / 46 },
  detector: {
    phase: 'watching', rows: 200000, rows_needed: 200000, scored: 48136000,
    flow_model: 'round 12', host_model: 'local',
  },
  alerts: { open: 2, suppressed: 3 },
  federation: { state: 'idle', round: 12, epsilon: 2.41, budget: 8, delta: 1e-5 },
  ...change,
});

/** A hub captures nothing. @param {number} now */
export const hubMetrics = (now) => ({
  schema: 1, ts: iso(now), uptime_s: 91200,
  federation: { state: 'idle', round: 12, epsilon: 2.41, budget: 8, delta: 1e-5 },
});

/**
 * @param {number} now
 * @param {{site: string, node: string, id: string, kind: string, severity: string, entity: string,
 *   age: number, score: number, p: number, hint: string, technique?: string, role?: string,
 *   features: [string, number, number, string][], flow: any, count?: number,
 *   detector?: string}} a
 */
export const alert = (now, a) => ({
  schema: 1, timestamp: iso(now - a.age * 1000), event_type: 'alert', ...a.flow.tuple,
  in_iface: 'eth1',
  alert: {
    action: 'allowed', signature: `${a.hint}.`, category: a.kind,
    severity: { critical: 1, major: 1, minor: 2, warning: 3 }[a.severity],
  },
  flow: { ...a.flow.counters, start: iso(now - a.age * 1000) },
  atalaya: {
    id: a.id, change: 'raise', site: a.site, node: a.node, kind: a.kind, entity: a.entity,
    role: a.role ?? 'source', severity: a.severity, detector: a.detector ?? 'host', score: a.score,
    p_value: a.p, count: a.count ?? 12, raised: iso(now - a.age * 1000), updated: iso(now - 4000),
    top_features: a.features.map(([name, observed, expected, unit, low, high]) =>
      ({ name, observed, expected, ...(high !== undefined && { low, high }), unit })),
    hint: a.hint, attack_technique: a.technique ?? '', model: 'round 12 (4be19c07)',
  },
});

const tuple = (/** @type {any} */ ...[src_ip, src_port, dest_ip, dest_port, proto, community_id]) =>
  ({ src_ip, ...(src_port && { src_port }), dest_ip, ...(dest_port && { dest_port }), proto,
    ...(community_id && { community_id }) });
const counters = (...[pkts_toserver, pkts_toclient, bytes_toserver, bytes_toclient]) =>
  ({ pkts_toserver, pkts_toclient, bytes_toserver, bytes_toclient });

export const SCAN = {
  site: 'bilbao', node: 'edge-1', id: '5f0c21d6a9e84b37', kind: 'horizontal_scan',
  severity: 'critical', entity: '10.3.0.66', age: 96, score: 0.97, p: 1.2e-9, technique: 'T1046',
  hint: 'One address tries the same port on hundreds of hosts and few answer', count: 41,
  features: [
    ['peers', 412, 3.1, 'hosts', 1, 6.2], ['failed_ratio', 0.93, 0.04, '1', 0, 0.13],
    ['new_peers', 6.9, 0.21, 'hosts/s', 0, 0.7], ['bytes_per_flow', 118, 4210, 'bytes'],
  ],
  flow: {
    tuple: tuple('10.3.0.66', 40112, '10.9.14.201', 445, 'TCP',
        '1:ZgMUrFFz0NgrnY3GbBgZew2WZoI='),
    counters: counters(2, 1, 120, 60),
  },
};

/** @type {any[]} */
export const ALERTS = [
  SCAN,
  {
    site: 'cadiz', node: 'edge-2', id: '9be1770e21c54d0a', kind: 'syn_flood', severity: 'critical',
    entity: '198.51.100.20', role: 'target', age: 41, score: 0.99, p: 3e-12, technique: 'T1499.001',
    hint: 'Half-open connections to one service rise far beyond what it answers', count: 118,
    features: [
      ['syn_rate', 48210, 212, '/s'], ['half_open_ratio', 0.99, 0.02, '1'],
      ['distinct_sources', 21900, 340, 'hosts'],
    ],
    flow: {
      tuple: tuple('203.0.113.9', 1042, '198.51.100.20', 443, 'TCP',
        '1:9UBbTThowSUcDHgYoSunrrQ2orM='),
      counters: counters(1, 1, 60, 58),
    },
  },
  {
    site: 'cadiz', node: 'edge-2', id: '31d07a8c44f24e6b', kind: 'dns_tunnel', severity: 'major',
    entity: '10.8.2.17', age: 754, score: 0.88, p: 4.1e-6, technique: 'T1071.004',
    hint: 'Long, random names below one domain, nearly all TXT', count: 9,
    features: [
      ['dns_name_length', 61, 17, 'bytes'], ['dns_label_entropy', 4.6, 2.9, 'bit'],
      ['dns_txt_share', 0.94, 0.01, '1'],
    ],
    flow: {
      tuple: tuple('10.8.2.17', 53122, '10.8.0.2', 53, 'UDP',
        '1:nA/2cCcF+fZiI42UYDHSazpM8EQ='),
      counters: counters(388, 388, 61200, 74110),
    },
  },
  {
    site: 'lugo', node: 'edge-3', id: 'c4482f95e0b14c21', kind: 'brute_force', severity: 'major',
    entity: '2001:db8:4::1f', age: 1310, score: 0.84, p: 2.2e-5, technique: 'T1110',
    hint: 'Many short SSH sessions to one host, all of the same size', count: 63,
    features: [
      ['flows_to_port', 240, 2, 'flows'], ['flow_seconds', 1.4, 310, 's'],
      ['bytes_deviation', 22, 18400, 'bytes'],
    ],
    flow: {
      tuple: tuple('2001:db8:4::1f', 51880, '2001:db8:9::22', 22, 'TCP',
        '1:zy1qBkaEK139ia+Gfb8R3s35A5U='),
      counters: counters(14, 13, 2410, 3105),
    },
  },
  {
    site: 'lugo', node: 'edge-3', id: '7740b1e9d2634f18', kind: 'beacon', severity: 'minor',
    entity: '10.14.7.3', age: 3120, score: 0.71, p: 8.4e-4, technique: 'T1071',
    hint: 'Calls the same address every 60 s with hardly any jitter', detector: 'host',
    features: [['beacon_score', 0.96, 0.12, '1'], ['interval_deviation', 0.4, 212, 's']],
    flow: {
      tuple: tuple('10.14.7.3', 49210, '192.0.2.81', 8443, 'TCP',
        '1:didaTObLdZSMPcb0dCWZzw4Y+a8='),
      counters: counters(9, 8, 1180, 940),
    },
  },
  {
    site: 'bilbao', node: 'edge-1', id: '08aa6e4f93d74b52', kind: 'anomaly', severity: 'warning',
    entity: '10.3.4.90', age: 208, score: 0.58, p: 3.7e-3, detector: 'flow', count: 2,
    hint: 'Unusual mix of sizes and pauses; no known pattern',
    features: [['iat_deviation', 4.1, 0.6, 's'], ['bytes_backward', 1.9e7, 240000, 'bytes']],
    flow: {
      tuple: tuple('10.3.4.90', 0, '192.0.2.14', 0, 'ICMP', ''),
      counters: counters(812, 811, 79576, 79478),
    },
  },
];

/** @param {number} now @param {number} n @param {object} [change] */
export const round = (now, n, change = {}) => ({
  schema: 1, ts: iso(now), federation: 'iberia', epoch: 1, round: n, state: 'committed',
  participants: ['edge-1', 'edge-2', 'edge-3'], quorum: 2, epsilon: 0.21 * n - 0.11, delta: 1e-5,
  bytes: 48200 + 97 * n, update_norm: 1.9 / n, model: '4be19c07d2a6f513', ...change,
});
