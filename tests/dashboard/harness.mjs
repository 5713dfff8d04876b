// SPDX-License-Identifier: Apache-2.0
/** A real broker that serves the page, a real publisher, a real browser; all on loopback. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const require = createRequire(new URL('../../dashboard/package.json', import.meta.url));
const CHROMIUM = process.env.ATALAYA_CHROMIUM ?? '/usr/bin/chromium';
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto', '/usr/local/sbin/mosquitto']
  .find(existsSync);
const BROKER_START_MS = 5000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** @returns {string} what is not installed, '' when all is there */
export function missing() {
  if (!MOSQUITTO)
    return 'mosquitto';
  return existsSync(CHROMIUM) ? '' : CHROMIUM;
}

export const axeSource = () => require('axe-core').source;

/** @returns {Promise<number>} a port that was free a moment ago */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** @typedef {{username?: string, password?: string}} Login */

/**
 * @param {number} port
 * @param {import('node:child_process').ChildProcess} broker
 * @param {Login} login
 */
async function untilOpen(port, broker, login) {
  const mqtt = require('mqtt');
  const deadline = Date.now() + BROKER_START_MS;
  while (Date.now() < deadline && broker.exitCode === null) {
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`,
      { reconnectPeriod: 0, protocolVersion: 5, ...login });
    const up = await new Promise((resolve) => {
      client.once('connect', () => resolve(true));
      client.once('error', () => resolve(false));
      client.once('close', () => resolve(false));
    });
    if (up)
      return client;
    client.end(true);
    await pause(50);
  }
  throw new Error(`mosquitto did not open port ${port}`);
}

/** The plug-in with which mosquitto refuses a subscription instead of staying silent. */
export const REFUSER = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/mosquitto_dynamic_security.so`).find(existsSync);

/** @param {string} dir @returns {string[]} every connection welcome, no subscription granted */
function refuseSubscriptions(dir) {
  const file = join(dir, 'refuse.json');
  const access = { publishClientSend: true, publishClientReceive: true, unsubscribe: true };
  writeFileSync(file, JSON.stringify({ defaultACLAccess: { ...access, subscribe: false } }));
  return [`plugin ${REFUSER}`, `plugin_opt_config_file ${file}`, 'allow_anonymous true'];
}

/** @param {string} dir @param {Login} login @returns {string[]} */
function wantPassword(dir, { username, password }) {
  const file = join(dir, 'passwords');
  execFileSync('mosquitto_passwd', ['-b', '-c', file, String(username), String(password)],
    { stdio: 'ignore' });
  return ['allow_anonymous false', `password_file ${file}`];
}

/**
 * @param {string} page the built index.html
 * @param {{login?: Login, refuse?: boolean}} [how] open to all by default
 */
export async function startBroker(page, { login = {}, refuse = false } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'atalaya-page-'));
  const access = refuse ? refuseSubscriptions(dir)
    : login.username ? wantPassword(dir, login) : ['allow_anonymous true'];
  const [mqttPort, webPort] = [await freePort(), await freePort()];
  const web = join(dir, 'web');
  mkdirSync(web);
  copyFileSync(page, join(web, 'index.html'));
  writeFileSync(join(dir, 'broker.conf'), [
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...access, 'persistence false', 'log_type error',
    `listener ${mqttPort} 127.0.0.1`,
    `listener ${webPort} 127.0.0.1`, 'protocol websockets', `http_dir ${web}`, '',
  ].join('\n'));

  const args = ['-c', join(dir, 'broker.conf')];
  const launch = () =>
    spawn(/** @type {string} */ (MOSQUITTO), args, { stdio: ['ignore', 'inherit', 'inherit'] });
  let broker = launch();
  let client = await untilOpen(mqttPort, broker, login);

  const halt = async () => {
    await client.endAsync(true);
    const gone = new Promise((resolve) => broker.once('exit', resolve));
    broker.kill('SIGTERM');
    await gone;
  };
  return {
    dir,
    page: join(web, 'index.html'),
    url: `http://127.0.0.1:${webPort}/`,
    socket: `ws://127.0.0.1:${webPort}`,
    /** @param {string} topic @param {object | string} doc '' clears @param {boolean} [retain] */
    publish: (topic, doc, retain = true) =>
      client.publishAsync(`atalaya/v1/${topic}`,
        typeof doc === 'string' ? doc : JSON.stringify(doc), { qos: 1, retain }),
    halt,
    async restart() {
      broker = launch();
      client = await untilOpen(mqttPort, broker, login);
    },
    async stop() {
      if (broker.exitCode === null)
        await halt();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** @param {string} dir a new profile is made in it */
export async function startBrowser(dir) {
  const { chromium } = require('playwright-core');
  const context = await chromium.launchPersistentContext(join(dir, 'profile'), {
    executablePath: CHROMIUM, headless: true, args: FLAGS, colorScheme: 'dark',
    viewport: { width: 1440, height: 900 },
  });
  context.setDefaultTimeout(8000);
  const page = context.pages()[0];
  /** @type {string[]} */ const errors = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning')
      errors.push(m.text());
  });
  page.on('pageerror', (e) => errors.push(String(e)));
  return { page, errors, close: () => context.close() };
}
