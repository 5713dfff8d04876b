// SPDX-License-Identifier: Apache-2.0
/**
 * The page as an operator meets it. Usage: node browser.test.mjs index.html
 * With ATALAYA_SCREENSHOT=shot.png it also paints the fleet, dark and (shot-light.png) light.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import * as fleet from './fleet.mjs';
import { axeSource, missing, REFUSER, startBroker, startBrowser } from './harness.mjs';
import { paint } from './paint.mjs';

const lacking = missing();
if (lacking !== '') {
  process.stdout.write(`SKIP: ${lacking} is not installed\n`);
  process.exit(77);
}

const [edge, second, , hub] = fleet.NODES;
const scan = `${fleet.SCAN.site}/${fleet.SCAN.node}/alert/${fleet.SCAN.id}`;
const row = `[data-alert="${fleet.SCAN.id}"]`;
/** @type {any} */ let broker;
/** @type {any} */ let browser;
/** @type {any} */ let page;

before(async () => {
  broker = await startBroker(process.argv[2]);
  browser = await startBrowser(broker.dir);
  page = browser.page;
});

after(async () => {
  await browser?.close();
  await broker?.stop();
});

/** @param {string} selector @param {RegExp} words */
const says = (selector, words) =>
  page.locator(selector).filter({ hasText: words }).first().waitFor();

test('connects to the broker that served it, by itself', async () => {
  await page.goto(broker.url);
  await says('.link', /connected/);
  await says('.empty', /first word of a node/);
  await says('.empty', /atalaya edge/);
});

test('shows a node as soon as it announces itself', async () => {
  const now = Date.now();
  await broker.publish('bilbao/edge-1/state', fleet.state('online', now));
  await broker.publish('bilbao/edge-1/info', fleet.info(edge, now));
  await broker.publish('bilbao/edge-1/metrics', fleet.metrics(edge, now, 182000), false);
  await says('[data-node="bilbao/edge-1"]', /online/);
  await says('[data-node="bilbao/edge-1"]', /182 k\/s/);
  await says('[data-node="bilbao/edge-1"]', /ε 2\.41 of 8\.0/);
  assert.equal(await page.locator('[data-node] .fact.bad').count(), 1, 'drops are red');
});

test('a packet unaccounted for is red, a learning node shows how far it is', async () => {
  const now = Date.now();
  const packets = { received: 10, processed: 9, dropped: {}, nic_dropped: 0, difference: 1 };
  const detector = { phase: 'learning', rows: 500, rows_needed: 2000 };
  await broker.publish('cadiz/edge-2/state', fleet.state('degraded', now));
  await broker.publish('cadiz/edge-2/metrics',
    fleet.metrics(second, now, 9, { packets, detector }), false);
  await says('[data-node="cadiz/edge-2"] .fact.bad', /Unaccounted/);
  await says('[data-node="cadiz/edge-2"]', /Learning 500 of 2\u202f000/);
});

test('shows a hub as a node', async () => {
  const now = Date.now();
  await broker.publish('core/hub-1/state', fleet.state('online', now));
  await broker.publish('core/hub-1/info', fleet.info(hub, now));
  await broker.publish('core/hub-1/metrics', fleet.hubMetrics(now), false);
  await says('[data-node="core/hub-1"] .tag', /hub/);
});

test('an alert appears and its explanation opens by keyboard', async () => {
  await broker.publish(scan, fleet.alert(Date.now(), fleet.SCAN));
  await says(row, /critical.*Horizontal scan.*10\.3\.0\.66.*source.*bilbao\/edge-1.*0\.97/s);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await says('.explanation', /412 hosts/);
  await says('.explanation', /1 – 6\.2 hosts/);
  await says('.explanation', /1\.2 × 10⁻⁹/);
  await says('.explanation', /T1046/);
  await says('.explanation', /1:[A-Za-z0-9+/]{27}=/);
  await says('.explanation', /10\.3\.0\.66:40112/);
});

test('copies the community id', async () => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('.community .copy').click();
  await says('.community .copy', /Copied/);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()),
    fleet.SCAN.flow.tuple.community_id);
});

test('no serious accessibility violation, dark or light', async () => {
  // The tool must not need a hole in the policy: it is evaluated, not added as a script tag.
  await page.evaluate(axeSource());
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate('axe.run()');
    const bad = violations.filter((/** @type {any} */ v) => /serious|critical/.test(v.impact));
    assert.deepEqual(bad.map((/** @type {any} */ v) =>
      `${v.id}: ${v.nodes.map((/** @type {any} */ n) => n.html).join(' ')}`), []);
  }
  await page.emulateMedia({ colorScheme: 'dark' });
});

test('text of a payload is never markup', async () => {
  const evil = '<img src=x onerror="document.title=1">';
  await broker.publish('bilbao/edge-1/alert/evil',
    fleet.alert(Date.now(), { ...fleet.SCAN, id: 'evil', entity: evil, hint: evil }));
  await says('[data-alert="evil"] code', /<img/);
  assert.equal(await page.locator('main img').count(), 0);
  await broker.publish('bilbao/edge-1/alert/evil', '');
});

test('what is not understood is counted and harms nothing', async () => {
  for (const text of ['{"schema":', '[]', 'null', '\u0000'])
    await broker.publish('bilbao/edge-1/metrics', text, false);
  await broker.publish('bilbao/edge-1/alert/bare', {}, false);
  await says('.notice', /4 messages ignored/);
  await says('[data-alert="bare"]', /Anomaly/);
  await broker.publish('bilbao/edge-1/alert/bare', '', false);
});

test('the filter narrows the lists and lives in the address', async () => {
  await page.keyboard.press('/');
  await page.keyboard.type('cadiz');
  await says('.empty', /No open alert matches/);
  assert.equal(await page.locator('[data-node]').count(), 1);
  assert.match(page.url(), /\?q=cadiz$/);
  await page.keyboard.press('Escape');
  await page.locator(row).waitFor();
  assert.doesNotMatch(page.url(), /q=/);
});

test('a federation shows round, participants and privacy', async () => {
  for (const n of [11, 12])
    await broker.publish('fl/iberia/round', fleet.round(Date.now(), n));
  await says('[data-federation="iberia"]', /round 12 committed/);
  await says('[data-federation="iberia"]', /ε 2\.41 at δ 10⁻⁵/);
  await says('[data-federation="iberia"]', /edge-1, edge-2, edge-3/);
  assert.equal(await page.locator('.rounds tbody tr').count(), 2);
});

test('the chart draws what it measured, in packets or bits', async () => {
  await page.locator('.chart canvas').waitFor();
  await says('.legend', /bilbao\/edge-1182 k\/s/);
  await page.getByRole('button', { name: 'bits/s' }).click();
  await says('.legend', /bilbao\/edge-11\.07 Gbit\/s/);
});

test('an empty payload clears the alert', async () => {
  await broker.publish(scan, '');
  await page.locator(row).waitFor({ state: 'detached' });
  await says(`[data-cleared="${fleet.SCAN.id}"]`, /Horizontal scan/);
});

test('help opens and closes by keyboard', async () => {
  await page.keyboard.press('?');
  await says('dialog[open]', /next, previous alert/);
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
});

test('until here the console is silent and no request left the page', async () => {
  assert.deepEqual(browser.errors, []);
  const names = await page.evaluate(() =>
    performance.getEntriesByType('resource').map((entry) => entry.name));
  assert.deepEqual(names.filter((/** @type {string} */ n) => !/^(data|blob):/.test(n)), []);
});

test('after an outage an alert that the broker no longer holds is gone', async () => {
  await broker.publish(scan, fleet.alert(Date.now(), fleet.SCAN));
  await page.locator(row).waitFor();
  await broker.halt();
  await says('.link', /link lost/);
  await broker.restart();
  await says('.link', /connected/);
  await page.locator(row).waitFor({ state: 'detached' });
});

test('opened from disk it asks for a broker and takes one', async () => {
  await page.goto(pathToFileURL(broker.page).href);
  await page.locator('input[name=address]').fill('mqtt://nowhere');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await says('.problem', /ws:\/\//);
  await page.locator('input[name=address]').fill(broker.socket);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await says('.link', /connected/);
  assert.match(page.url(), /\?broker=ws/);
  assert.deepEqual(browser.errors.filter((/** @type {string} */ e) => /policy/i.test(e)), []);
});

test('a broker that wants a password gets one', async () => {
  const login = { username: 'viewer', password: 'look but do not touch' };
  const guarded = await startBroker(process.argv[2], { login });
  try {
    await page.goto(guarded.url);
    await says('.link', /refused/);
    await says('.problem', /Not authorized/i);
    await page.locator('input[name=user]').fill(login.username);
    await page.locator('input[name=password]').fill(login.password);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await says('.link', /connected/);
    assert.doesNotMatch(page.url(), /touch|viewer/);
  } finally {
    await guarded.stop();
  }
});

test('a refused subscription is said aloud', { skip: !REFUSER }, async () => {
  const closed = await startBroker(process.argv[2], { refuse: true });
  try {
    await page.goto(closed.url);
    await says('.notice.bad', /refused atalaya\/v1\/\+\/\+\/alert\/\+ \(.*not authorized/i);
  } finally {
    await closed.stop();
  }
});

test('a picture for people', { skip: !process.env.ATALAYA_SCREENSHOT }, async () => {
  await paint(broker, page, /** @type {string} */ (process.env.ATALAYA_SCREENSHOT));
});
