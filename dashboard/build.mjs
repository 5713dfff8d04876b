// SPDX-License-Identifier: Apache-2.0
/**
 * Writes the operators' page as one HTML file: script and style inline, no request to anywhere
 * but the broker, so that any server, also one that sends no Content-Type, and file:// will do.
 *
 *   node build.mjs --out index.html [--depfile index.html.d]
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureModules } from './modules.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const BUDGET_KB = 450;

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`dashboard: ${message}\n`);
  process.exit(1);
}

/** @param {string} text the form in which a policy names an inline script or style */
const hashOf = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

async function bundle() {
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: here,
    entryPoints: { script: 'src/main.jsx', style: 'src/style.css' },
    outdir: 'out',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    charset: 'utf8',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    inject: ['src/node_globals.js'],
    alias: { buffer: 'buffer/', events: 'events/' },
    define: { global: 'globalThis' },
    logLevel: 'error',
  }).catch(() => fail('esbuild refused the sources, see above'));
  const file = (/** @type {string} */ ext) =>
    result.outputFiles.find((f) => f.path.endsWith(ext))?.text.trim() ?? '';
  return {
    // An end tag inside a string would end the script early.
    script: file('.js').replaceAll('</script', '<\\/script'),
    style: file('.css'),
    inputs: Object.keys(result.metafile.inputs).map((path) => join(here, path)),
  };
}

/** @param {{script: string, style: string}} parts */
function assemble({ script, style }) {
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    'connect-src ws: wss:',
    'img-src data:',
    'worker-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const values = { policy, script, style };
  return readFileSync(join(here, 'src/page.html'), 'utf8')
    .replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
}

/** @param {string} path @param {string} text Whoever reads meanwhile sees the old or the new. */
function writeWhole(path, text) {
  const part = `${path}.${process.pid}.part`;
  writeFileSync(part, text);
  renameSync(part, path);
}

const { values } = parseArgs({ options: { out: { type: 'string' }, depfile: { type: 'string' } } });
if (!values.out)
  fail('usage: node build.mjs --out FILE [--depfile FILE]');
if (!ensureModules())
  fail('the modules of package-lock.json are missing');

const parts = await bundle();
const page = assemble(parts);
const kb = Buffer.byteLength(page) / 1024;
if (kb > BUDGET_KB)
  fail(`the page has ${kb.toFixed(0)} KB, its budget is ${BUDGET_KB} KB`);
writeWhole(values.out, page);
if (values.depfile) {
  const inputs = [...parts.inputs, join(here, 'src/page.html'), join(here, 'modules.mjs')];
  const names = inputs.map((path) => resolve(path).replaceAll(' ', '\\ '));
  writeWhole(values.depfile, `${values.out}: ${names.join(' ')}\n`);
}
process.stdout.write(`dashboard: ${values.out}, ${kb.toFixed(0)} of ${BUDGET_KB} KB\n`);
