// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from 'preact/hooks';
import { helpShown } from '../live.js';

const KEYS = [
  ['j / k', 'next, previous alert'],
  ['Enter', 'open or close its explanation'],
  ['/', 'filter by site, node, address or kind'],
  ['Esc', 'clear the filter, close this'],
  ['?', 'this help'],
];

export function Help() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    if (helpShown.value)
      dialog.current?.showModal();
    else
      dialog.current?.close();
  }, [helpShown.value]);
  return (
    <dialog ref={dialog} aria-labelledby="help" onClose={() => { helpShown.value = false; }}>
      <h2 id="help">Keyboard</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <div key={key}><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>
        ))}
      </dl>
      <p>Score: 0.5 is where an alert begins, 1 is as strange as it gets. Times are local, with
        UTC under the pointer. ε is the privacy spent, smaller is better.</p>
      <button type="button" onClick={() => { helpShown.value = false; }}>Close</button>
    </dialog>
  );
}
