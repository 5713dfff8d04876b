// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals';
import { asking, broker, connect, link, remember } from '../live.js';

const problem = signal('');

/** @param {SubmitEvent} event The password stays in memory; the address goes into the link. */
function submit(event) {
  event.preventDefault();
  const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  const field = (/** @type {string} */ name) => String(form.get(name) ?? '');
  problem.value = connect(field('address'), { user: field('user'), password: field('password') });
  if (problem.value === '')
    remember('broker', broker.value);
}

export function Connect() {
  if (!asking.value)
    return null;
  const { phase, detail } = link.value;
  const said = problem.value || (phase === 'refused' || phase === 'lost' ? detail : '');
  return (
    <section class="connect" aria-labelledby="connect">
      <h2 id="connect">Which broker?</h2>
      <p>
        The page speaks MQTT over WebSockets. In mosquitto that is a listener
        with <code>protocol websockets</code>.
      </p>
      <form onSubmit={submit}>
        <label>Address
          <input name="address" required placeholder="ws://broker:9001" spellcheck={false}
            value={broker.value} />
        </label>
        <label>User <input name="user" autoComplete="username" /></label>
        <label>Password
          <input name="password" type="password" autoComplete="current-password" />
        </label>
        <button type="submit">Connect</button>
        <button type="button" class="plain" onClick={() => { asking.value = false; }}>Close</button>
      </form>
      <p role="status" class="problem">{said}</p>
    </section>
  );
}
