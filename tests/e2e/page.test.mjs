// SPDX-License-Identifier: Apache-2.0
/**
 * The main job as a newcomer meets it: scripts/demo, its page in a browser, the attack, Ctrl-C.
 * With ATALAYA_SCREENSHOT=shot.png the page is painted once the alert is open.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { missing, startBrowser } from '../dashboard/harness.mjs';

const lacking = missing();
if (lacking !== '') {
  process.stdout.write(`SKIP: ${lacking} is not installed\n`);
  process.exit(77);
}

const ATTACK_AFTER_S = 55;
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('atalaya-demo.'));
const before_ = new Set(leftovers());
const profile = mkdtempSync(join(tmpdir(), 'atalaya-page-'));
let said = '';
/** @type {any} */ let demo;
/** @type {any} */ let browser;

/** @param {() => any} check @param {number} seconds @param {string} what */
async function until(check, seconds, what) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const result = check();
    if (result)
      return result;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`not seen within ${seconds} s: ${what}\n${said.slice(-2000)}`);
}

before(async () => {
  demo = spawn('scripts/demo', [], {
    cwd: process.env.ATALAYA_SOURCE,
    env: { ...process.env, ATALAYA_DEMO_ATTACK_AFTER: String(ATTACK_AFTER_S) },
    detached: true, // a process group of its own, to be told Ctrl-C as a terminal tells it
  });
  demo.stdout.on('data', (d) => { said += d; });
  demo.stderr.on('data', (d) => { said += d; });
  browser = await startBrowser(profile);
});

after(async () => {
  await browser?.close();
  if (demo.exitCode === null)
    process.kill(-demo.pid, 'SIGKILL');
  rmSync(profile, { recursive: true, force: true });
});

test('the demo prints the address of a page that connects', async () => {
  const url = (await until(() => said.match(/Dashboard\s+(http:\S+)/), 60, 'the address'))[1];
  await browser.page.goto(url);
  await browser.page.locator('.link').filter({ hasText: 'connected' }).waitFor();
});

test('three edges and the hub are there', async () => {
  for (const node of ['lisboa/edge-1', 'madrid/edge-2', 'sevilla/edge-3', 'core/hub'])
    await browser.page.locator(`[data-node="${node}"]`).filter({ hasText: 'online' })
      .waitFor({ timeout: 20000 });
});

test('a federated round commits and shows its epsilon', async () => {
  await browser.page.getByText(/round \d+ committed/).first().waitFor({ timeout: 90000 });
  await browser.page.getByText(/ε \d/).first().waitFor();
});

test('the alert of the scanner appears and explains itself', async () => {
  const row = browser.page.locator('[data-alert]').filter({ hasText: '10.2.0.66' })
    .filter({ hasText: 'Horizontal scan' }).first();
  await row.waitFor({ timeout: (ATTACK_AFTER_S + 60) * 1000 });
  await row.click();
  await browser.page.getByText('Failed ratio').first().waitFor();
  await browser.page.getByText('T1046').first().waitFor();
  if (process.env.ATALAYA_SCREENSHOT)
    await browser.page.screenshot({ path: process.env.ATALAYA_SCREENSHOT, fullPage: true });
  assert.deepEqual(browser.errors, []);
});

test('the terminal told the same, and Ctrl-C leaves nothing behind', async () => {
  assert.match(said, /\[edge-2\].*alert raise.*10\.2\.0\.66/);
  assert.match(said, /\[hub\].*round 1 committed/);
  process.kill(-demo.pid, 'SIGINT');
  await until(() => demo.exitCode !== null, 20, 'the end of the demo');
  assert.equal(demo.exitCode, 130);
  assert.deepEqual(leftovers().filter((name) => !before_.has(name)), []);
});
