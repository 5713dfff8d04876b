// SPDX-License-Identifier: Apache-2.0
/** Which broker the page speaks to, and which filter it shows: both live in the address bar. */

/**
 * @param {string} text what a person or a link gave
 * @returns {{url: string, user: string, password: string, error: string}} url is '' on an error
 */
export function checkBroker(text) {
  const refuse = (/** @type {string} */ error) => ({ url: '', user: '', password: '', error });
  let url, user, password;
  try {
    url = new URL(text.trim());
    user = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    return refuse('Not an address. Expected ws://host:port or wss://host:port.');
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    return refuse(`A browser reaches a broker by ws:// or wss://, not by ${url.protocol}//.`);
  url.username = '';
  url.password = '';
  if (url.pathname === '/')
    url.pathname = '/mqtt';
  return { url: url.href, user, password, error: '' };
}

/**
 * `?broker=` first; else the server that sent the page, as mosquitto does with `http_dir`.
 *
 * @param {{protocol: string, host: string, search: string}} location
 * @returns {string} '' when there is none to try: ask
 */
export function brokerOf(location) {
  const asked = new URLSearchParams(location.search).get('broker');
  if (asked)
    return asked;
  if (location.protocol === 'http:')
    return `ws://${location.host}`;
  return location.protocol === 'https:' ? `wss://${location.host}` : '';
}

/** @param {string} search @param {string} name @param {string} value '' removes it */
export function withParameter(search, name, value) {
  const query = new URLSearchParams(search);
  if (value === '')
    query.delete(name);
  else
    query.set(name, value);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
