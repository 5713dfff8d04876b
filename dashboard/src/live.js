// SPDX-License-Identifier: Apache-2.0
/** Where bus, store and views meet: the signals that the views read. */
import { signal } from '@preact/signals';
import { brokerOf, checkBroker, withParameter } from './broker.js';
import { createBus } from './bus.js';
import { beginSync, createStore, endSync, receive } from './store.js';
import { SUBSCRIPTIONS } from './topics.js';

/** @typedef {{phase: import('./bus.js').Link['phase'] | 'idle', detail: string}} Link */

const REDRAW_MS = 250;
const SYNC_MS = 2000;
const TRIES_BEFORE_ASKING = 2;

export const store = createStore();

/** Changes at most four times a second; a view that reads the store reads this first. */
export const revision = signal(0);
/** Milliseconds since 1970, once a second. */
export const now = signal(Date.now());

export const broker = signal('');
export const link = signal(/** @type {Link} */ ({ phase: 'idle', detail: '' }));
/** When the link came up, null while it is down. */
export const connectedAt = signal(/** @type {number | null} */ (null));
/** Filters that the broker refused, with its reason. */
export const refusals = signal(/** @type {{filter: string, reason: string}[]} */ ([]));
/** Whether the form that asks for a broker is shown. */
export const asking = signal(false);

export const filter = signal(new URLSearchParams(location.search).get('q') ?? '');
/** Key of the alert whose explanation is open. */
export const opened = signal('');
export const helpShown = signal(false);

const bus = createBus();
let redraw = 0;
let failures = 0;

function changed() {
  redraw ||= window.setTimeout(() => {
    redraw = 0;
    revision.value++;
  }, REDRAW_MS);
}

async function subscribeAll() {
  const since = connectedAt.value;
  beginSync(store);
  const reasons = await Promise.all(SUBSCRIPTIONS.map((s) => bus.subscribe(s)));
  if (connectedAt.value !== since)
    return;
  refusals.value = SUBSCRIPTIONS.map((f, i) => ({ filter: f, reason: reasons[i] }))
    .filter((r) => r.reason !== '');
  // Retained messages follow the acknowledgement at once; two seconds are plenty.
  window.setTimeout(() => {
    if (connectedAt.value !== since)
      return;
    endSync(store, Date.now());
    changed();
  }, SYNC_MS);
}

/** @param {Link} next */
function linkChanged(next) {
  link.value = next;
  if (next.phase === 'connected') {
    failures = 0;
    asking.value = false;
    connectedAt.value = Date.now();
    subscribeAll();
    return;
  }
  connectedAt.value = null;
  failures += next.phase === 'lost' ? 1 : 0;
  if (next.phase === 'refused' || (failures >= TRIES_BEFORE_ASKING && store.messages === 0))
    asking.value = true;
}

/**
 * @param {string} address
 * @param {{user: string, password: string}} [who]
 * @returns {string} what is wrong with the address, or ''
 */
export function connect(address, who) {
  const checked = checkBroker(address);
  if (checked.error !== '')
    return checked.error;
  broker.value = checked.url;
  refusals.value = [];
  failures = 0;
  try {
    bus.connect(checked.url, who ?? checked);
  } catch (error) {
    // A secure page may not open an insecure socket: the browser throws instead of failing.
    link.value = { phase: 'refused', detail: String(/** @type {Error} */ (error).message) };
    return link.value.detail;
  }
  return '';
}

/** @param {string} name @param {string} value kept in the address, so that a link carries it */
export function remember(name, value) {
  try {
    const search = withParameter(location.search, name, value);
    history.replaceState(null, '', `${location.pathname}${search}${location.hash}`);
  } catch {
    // Some browsers forbid this for files: then the filter lives as long as the page.
  }
}

/** @param {string} text */
export function setFilter(text) {
  filter.value = text;
  remember('q', text.trim());
}

export function start() {
  bus.onLink(linkChanged);
  bus.onMessage((topic, payload) => {
    receive(store, topic, payload, Date.now());
    changed();
  });
  window.setInterval(() => {
    now.value = Date.now();
  }, 1000);
  const address = brokerOf(location);
  if (address === '' || connect(address) !== '')
    asking.value = true;
  broker.value ||= address;
}
