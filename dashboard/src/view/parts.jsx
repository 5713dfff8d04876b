// SPDX-License-Identifier: Apache-2.0
/** Pieces that several views use. */
import { signal } from '@preact/signals';
import { localTime, utcTime, UNKNOWN } from '../format.js';
import { now } from '../live.js';

const COPIED_MS = 1500;
const copied = signal('');

/** @param {{at: number | null}} props local time, with UTC as the tooltip */
export function Time({ at }) {
  if (at === null)
    return <span>{UNKNOWN}</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={utcTime(at)}>
      {localTime(at, now.value)}
    </time>
  );
}

/** @param {string} text The clipboard needs a secure context; the old way works without one. */
async function toClipboard(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** @param {{text: string, name: string, label: string}} props */
export function Copy({ text, name, label }) {
  const copy = async () => {
    await toClipboard(text).then(() => {
      copied.value = name;
    }, () => {});
    window.setTimeout(() => {
      copied.value = '';
    }, COPIED_MS);
  };
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{copied.value === name ? 'Copied' : label}</span>
    </button>
  );
}

/** @param {{title: string, id: string, count?: string, aside?: any, children: any}} props */
export function Section({ title, id, count, aside, children }) {
  return (
    <section aria-labelledby={id}>
      <header class="section-head">
        <h2 id={id}>{title}</h2>
        {count !== undefined && <span class="count">{count}</span>}
        <div class="aside">{aside}</div>
      </header>
      {children}
    </section>
  );
}

/** @param {{children: any}} props */
export const Empty = ({ children }) => <p class="empty">{children}</p>;

/** @param {{share: number, label: string, level?: string}} props a bar of 0 … 1 */
export function Meter({ share, label, level = '' }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <span class={`meter ${level}`} role="meter" aria-label={label} aria-valuemin={0}
      aria-valuemax={100} aria-valuenow={percent}>
      <span style={{ width: `${percent}%` }} />
    </span>
  );
}
