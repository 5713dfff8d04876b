// SPDX-License-Identifier: Apache-2.0
/** The keyboard. Selection is the browser's own focus: what is selected is what Enter opens. */
import { helpShown, setFilter } from './live.js';

/** @param {number} step */
function moveFocus(step) {
  const rows = [...document.querySelectorAll('button.toggle')];
  if (rows.length === 0)
    return;
  const here = rows.indexOf(/** @type {Element} */ (document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step;
  const row = /** @type {HTMLElement} */ (rows[Math.min(rows.length - 1, Math.max(0, next))]);
  row.focus();
  row.closest('tr')?.scrollIntoView({ block: 'nearest' });
}

const ACTIONS = {
  j: () => moveFocus(1),
  k: () => moveFocus(-1),
  '/': () => document.getElementById('filter')?.focus(),
  '?': () => {
    helpShown.value = !helpShown.value;
  },
};

/** @param {KeyboardEvent} event */
export function onKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey)
    return;
  if (event.key === 'Escape' && !helpShown.value) {
    setFilter('');
    target.blur();
    return;
  }
  if (target.closest('input, textarea') || (helpShown.value && event.key !== '?'))
    return;
  const action = ACTIONS[event.key];
  if (!action)
    return;
  event.preventDefault();
  action();
}
