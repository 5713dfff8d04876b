// SPDX-License-Identifier: Apache-2.0
/** Numbers, times and words as people read them. '–' stands for what is not known. */
export const UNKNOWN = '–';

/** @type {[number, string][]} */
const STEPS = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
const ACRONYMS = new Map(Object.entries({
  syn: 'SYN', udp: 'UDP', tcp: 'TCP', icmp: 'ICMP', dns: 'DNS', http: 'HTTP', tls: 'TLS',
  ssh: 'SSH', gtp: 'GTP', pfcp: 'PFCP', arp: 'ARP', ip: 'IP', c2: 'C2', dos: 'DoS', ddos: 'DDoS',
}));
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** @param {number} value three significant digits, no exponent below 1000 */
function digits(value) {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

/** @param {number | null | undefined} value 12 345 → '12.3 k' */
export function compact(value) {
  if (value === null || value === undefined)
    return UNKNOWN;
  // 999.7 would be written as 1000: from there the next step begins.
  const step = STEPS.find(([size]) => Math.abs(value) >= size * 0.9995);
  if (!step)
    return Math.abs(value) < 0.005 && value !== 0 ? power10(value) : digits(value);
  const [size, prefix] = step;
  const scaled = value / size;
  const places = Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(places)} ${prefix}`;
}

/**
 * @param {number | null | undefined} value
 * @param {string} unit 12 345, 'bit/s' → '12.3 kbit/s'
 */
export function quantity(value, unit) {
  const words = compact(value);
  if (words === UNKNOWN || unit === '' || unit === '1')
    return words;
  if (unit.startsWith('/'))
    return words + unit;
  return /[kMGT]$/.test(words) && /^(B|bit|bytes)/.test(unit)
    ? words + unit.replace(/^bytes/, 'B') : `${words} ${unit}`;
}

/**
 * @param {number | null | undefined} low
 * @param {number | null | undefined} high
 * @param {string} unit 0, 1.34, 'flows' → '0 – 1.34 flows'
 */
export function span(low, high, unit) {
  const from = compact(low), to = compact(high);
  if (from === UNKNOWN || from === to)
    return quantity(high, unit);
  const step = (/** @type {string} */ words) => words.replace(/^[-\d.]+/, '');
  if (low !== 0 && step(from) !== step(to))
    return `${quantity(low, unit)} – ${quantity(high, unit)}`;
  return `${from.slice(0, from.length - step(from).length)} – ${quantity(high, unit)}`;
}

/** @param {number | null | undefined} value exact, with thin spaces between thousands */
export function exact(value) {
  return value === null || value === undefined
    ? UNKNOWN : String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** @param {number | null | undefined} value 1e-5 → '10⁻⁵', 2.5e-6 → '2.5 × 10⁻⁶' */
export function power10(value) {
  if (value === null || value === undefined)
    return UNKNOWN;
  const [mantissa, exponent] = value.toExponential(1).replace('.0e', 'e').split('e');
  const sign = exponent.startsWith('-') ? '⁻' : '';
  const raised = [...exponent.replace(/[+-]/, '')].map((d) => SUPERSCRIPTS[+d]).join('');
  return mantissa === '1' ? `10${sign}${raised}` : `${mantissa} × 10${sign}${raised}`;
}

/** @param {number | null | undefined} p */
export function probability(p) {
  if (p === null || p === undefined)
    return UNKNOWN;
  if (p === 0)
    return '< 10⁻³⁰⁰';
  return p < 0.001 ? power10(p) : p.toPrecision(2);
}

/** @param {number | null | undefined} value @param {number} places */
export function fixed(value, places) {
  return value === null || value === undefined ? UNKNOWN : value.toFixed(places);
}

/** @param {number | null | undefined} seconds 3700 → '1 h 1 min' */
export function duration(seconds) {
  if (seconds === null || seconds === undefined)
    return UNKNOWN;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60)
    return `${s} s`;
  if (s < 3600)
    return `${Math.floor(s / 60)} min`;
  if (s < 86400)
    return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** @param {number | null | undefined} at @param {number} now milliseconds → '3 s ago' */
export function ago(at, now) {
  return at === null || at === undefined ? UNKNOWN : `${duration((now - at) / 1000)} ago`;
}

const two = (/** @type {number} */ n) => String(n).padStart(2, '0');

/** @param {number} at @param {number} now local time; with the day when it is not today */
export function localTime(at, now) {
  const d = new Date(at);
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return d.toDateString() === new Date(now).toDateString()
    ? clock : `${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock}`;
}

/** @param {number} at for the tooltip */
export function utcTime(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** @param {string} name 'syn_flood' → 'SYN flood' */
export function words(name) {
  const parts = name.split(/[_\s]+/).filter(Boolean).map((w) => ACRONYMS.get(w) ?? w);
  const sentence = parts.join(' ');
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** @param {string} host @param {number | null} port brackets only where a port follows IPv6 */
export function endpoint(host, port) {
  if (host === '')
    return UNKNOWN;
  if (port === null)
    return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @param {number} n @param {string} one @param {string} [many] */
export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}
