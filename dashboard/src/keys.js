// SPDX-License-Identifier: Apache-2.0
/** The keyboard. Selection is the browser's own focus: what is selected is what Enter opens. */
import { helpShown, setFilter } from './live.js';

/** Where the focus was: a row may be cleared under it. */
let place = 0;

/** @param {number} step */
function moveFocus(step) {
  const rows = [...document.querySelectorAll('button.toggle')];
  if (rows.length === 0)
    return;
  const here = rows.indexOf(/** @type {Element} */ (document.activeElement));
  place = Math.min(rows.length - 1, Math.max(0, here < 0 ? place : here + step));
  const row = /** @type {HTMLElement} */ (rows[place]);
  row.focus();
  row.closest('tr')?.scrollIntoView({ block: 'nearest' });
}

/** @type {Record<string, () => void>} */
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
