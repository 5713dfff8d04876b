// SPDX-License-Identifier: Apache-2.0
/** Five minutes of a fleet's life in a few seconds, then two pictures of it. */
import { setTimeout as pause } from 'node:timers/promises';
import * as fleet from './fleet.mjs';

const SECONDS = 300;
const STEP = 2;

/** A daily hum, a little noise, and the flood on the second node. */
function rate(/** @type {any} */ n, /** @type {number} */ s) {
  const hum = 1 + 0.05 * Math.sin(s / 34 + n.pps) + 0.02 * Math.sin(s / 7.3 + n.size);
  const noise = 0.018 * Math.sin(s * 12.9898 + n.pps) * Math.cos(s * 78.233);
  const flood = n.site === 'cadiz' && s > 258 ? Math.min(1, (s - 258) / 6) * 0.55 : 0;
  return Math.round(n.pps * (hum + noise + flood));
}

/** @param {any} broker @param {any} page @param {string} path ends in .png */
export async function paint(broker, page, path) {
  const end = Date.now();
  const start = end - SECONDS * 1000;
  await page.addInitScript(`{
    const clock = Date.now;
    globalThis.paintedAt = ${start};
    Date.now = () => globalThis.paintedAt ?? clock();
  }`);
  const setTime = (/** @type {number} */ at) => page.evaluate(`globalThis.paintedAt = ${at}`);
  await page.goto(broker.url);
  await page.locator('.link.connected').waitFor();
  for (const n of fleet.NODES) {
    await broker.publish(`${n.site}/${n.node}/state`, fleet.state('online', start));
    await broker.publish(`${n.site}/${n.node}/info`, fleet.info(n, end));
  }
  const learning = { detector: { phase: 'learning', rows: 131400, rows_needed: 200000 } };
  for (let s = 0; s <= SECONDS; s += STEP) {
    const at = start + s * 1000;
    await setTime(at);
    for (const n of fleet.NODES) {
      const change = n.site === 'lugo' ? learning : {
        packets: { received: 981234567, dropped: {}, nic_dropped: 0, difference: 0 },
      };
      await broker.publish(`${n.site}/${n.node}/metrics`, n.role === 'hub'
        ? fleet.hubMetrics(at) : fleet.metrics(n, at, rate(n, s), change), false);
    }
    await pause(8);
  }
  for (let n = 8; n <= 12; n++)
    await broker.publish('fl/iberia/round', fleet.round(end - (13 - n) * 61000, n));
  for (const a of fleet.ALERTS) {
    const topic = `${a.site}/${a.node}/alert/${a.id}`;
    await broker.publish(topic, fleet.alert(end, a));
    if (a.kind === 'beacon' || a.kind === 'anomaly') {
      await broker.publish(`${topic}0`, fleet.alert(end, { ...a, id: `${a.id}0` }));
      await broker.publish(`${topic}0`, '');
    }
  }
  await page.locator(`[data-alert="${fleet.SCAN.id}"] .toggle`).click();
  await page.mouse.move(0, 0);
  const files = { light: path.replace(/\.png$/, '-light.png'), dark: path };
  for (const [colorScheme, file] of Object.entries(files)) {
    await page.emulateMedia({ colorScheme });
    await pause(1300);
    await page.screenshot({ path: file, fullPage: true });
  }
}
