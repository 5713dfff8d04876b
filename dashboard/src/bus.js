// SPDX-License-Identifier: Apache-2.0
/**
 * The one place that knows the MQTT library. Five methods: onLink, onMessage, connect, subscribe,
 * close. Everything else of the page would work over another client.
 */
import client from 'mqtt/lib/client';
import transport from 'mqtt/lib/connect/ws';

// Of MQTT.js only the client and the browser's WebSocket: the package's own browser bundle also
// carries the transports that a page cannot use, 70 KB of them.
const { default: MqttClient } = /** @type {any} */ (client);
const { browserStreamBuilder } = transport;

/**
 * @typedef {object} Link
 * @property {'connecting'|'connected'|'lost'|'refused'} phase
 * @property {string} detail why, in words, or ''
 */

const RECONNECT_MS = 2000;
const CONNECT_TIMEOUT_MS = 8000;
const KEEPALIVE_S = 30;

/** @param {string} url @param {object} options @returns {import('mqtt').MqttClient} */
function open(url, options) {
  const { protocol, hostname, port, pathname, search } = new URL(url);
  const where = {
    protocol: protocol.slice(0, -1),
    hostname,
    port: port === '' ? undefined : Number(port),
    path: pathname + search,
  };
  return new MqttClient((/** @type {any} */ c) => browserStreamBuilder(c, c.options),
    { ...options, ...where });
}

export function createBus() {
  /** @type {import('mqtt').MqttClient | null} */ let session = null;
  /** @type {(link: Link) => void} */ let tellLink = () => {};
  /** @type {(topic: string, payload: Uint8Array) => void} */ let tellMessage = () => {};

  const close = () => {
    session?.removeAllListeners();
    // The library may still report the end of its socket; nobody listens any more.
    session?.on('error', () => {});
    session?.end(true);
    session = null;
  };

  return {
    /** @param {(link: Link) => void} fn */
    onLink(fn) {
      tellLink = fn;
    },

    /** @param {(topic: string, payload: Uint8Array) => void} fn */
    onMessage(fn) {
      tellMessage = fn;
    },

    /**
     * Connects and stays connected until close. A second call replaces the first link.
     *
     * @param {string} url
     * @param {{user: string, password: string}} who
     */
    connect(url, who) {
      close();
      tellLink({ phase: 'connecting', detail: '' });
      session = open(url, {
        protocolVersion: 5,
        clientId: `atalaya-page-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`,
        clean: true,
        keepalive: KEEPALIVE_S,
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectPeriod: RECONNECT_MS,
        resubscribe: false,
        username: who.user || undefined,
        password: who.password || undefined,
      });
      let refused = false;
      session.on('connect', () => tellLink({ phase: 'connected', detail: '' }));
      session.on('message', (topic, payload) => tellMessage(topic, payload));
      session.on('close', () => {
        if (!refused)
          tellLink({ phase: 'lost', detail: `retrying every ${RECONNECT_MS / 1000} s` });
      });
      session.on('error', (error) => {
        refused ||= typeof (/** @type {any} */ (error).code) === 'number';
        if (refused)
          tellLink({ phase: 'refused', detail: error.message });
      });
    },

    /**
     * @param {string} filter
     * @returns {Promise<string>} '' when granted, else the broker's reason
     */
    subscribe(filter) {
      return new Promise((resolve) => {
        if (!session) {
          resolve('not connected');
          return;
        }
        session.subscribe(filter, { qos: 1 }, (error) => resolve(error ? error.message : ''));
      });
    },

    close,
  };
}
