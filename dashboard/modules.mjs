// SPDX-License-Identifier: Apache-2.0
/**
 * Makes node_modules agree with package-lock.json, once. With nothing to do it touches neither
 * disk nor network. Several builds may ask at the same time: the kernel's file lock on
 * package-lock.json lets one of them install and leaves no stale lock behind a killed one.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const lock = join(here, 'package-lock.json');
const stamp = join(here, 'node_modules', '.atalaya-lock-digest');
const WAIT_S = 300;

const digest = () => createHash('sha256').update(readFileSync(lock)).digest('hex');
const isCurrent = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === digest();

/** @returns {boolean} whether the modules are there now */
export function ensureModules() {
  if (isCurrent())
    return true;
  const self = fileURLToPath(import.meta.url);
  const run = spawnSync('flock', ['--wait', String(WAIT_S), lock, process.execPath, self], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return run.status === 0;
}

function install() {
  if (isCurrent())
    return 0;
  const run = spawnSync('npm',
    ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: here, stdio: ['ignore', 'ignore', 'inherit'], timeout: WAIT_S * 1000 });
  if (run.status !== 0) {
    process.stderr.write('dashboard: npm ci failed. With a network, run it once in dashboard/; '
      + 'to build without the page, set -Ddashboard=disabled.\n');
    return 1;
  }
  writeFileSync(stamp, digest());
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exit(install());
