// SPDX-License-Identifier: Apache-2.0
import { ago, plural } from '../format.js';
import {
  asking, broker, filter, helpShown, link, now, refusals, revision, setFilter, store,
} from '../live.js';
import { Mark, SeverityIcon } from './icons.jsx';

const SEVERITIES = /** @type {const} */ (['critical', 'major', 'minor', 'warning']);
const PHASES = {
  idle: 'no broker',
  connecting: 'connecting',
  connected: 'connected',
  lost: 'link lost',
  refused: 'refused',
};

/** @param {string} phase @param {string} detail */
function heard(phase, detail) {
  if (store.lastMessageAt !== null)
    return `last message ${ago(store.lastMessageAt, now.value)}`;
  return phase === 'connected' ? 'no message yet' : detail;
}

function LinkState() {
  revision.value;
  const { phase, detail } = link.value;
  const unreached = phase === 'lost' && store.messages === 0;
  return (
    <button type="button" class={`link ${phase}`} title="Change the broker"
      onClick={() => { asking.value = !asking.value; }}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{unreached ? 'cannot reach' : PHASES[phase]}</span>
      <span class="address">{broker.value.replace(/\/mqtt$/, '')}</span>
      <span class="age">
        {heard(phase, detail)}
      </span>
    </button>
  );
}

function Counts() {
  revision.value;
  const alerts = [...store.alerts.values()];
  const nodes = [...store.nodes.values()];
  const online = nodes.filter((n) => n.state?.state === 'online').length;
  return (
    <ul class="counts" aria-label="Counts">
      {SEVERITIES.map((severity) => {
        const n = alerts.filter((a) => a.severity === severity).length;
        return (
          <li key={severity} class={n === 0 ? 'none' : ''} title={`${n} open, ${severity}`}>
            <SeverityIcon severity={severity} />
            <b>{n}</b><span class="said"> {severity}</span>
          </li>
        );
      })}
      <li class={online < nodes.length ? 'short' : ''} title="nodes online, of those known">
        <b>{online}/{nodes.length}</b> online
      </li>
    </ul>
  );
}

export function Header() {
  return (
    <header class="top">
      <h1><Mark />atalaya</h1>
      <LinkState />
      <Counts />
      <input id="filter" type="search" aria-label="Filter alerts and nodes"
        placeholder="Filter: site, address, kind   /" value={filter.value}
        onInput={(e) => setFilter(e.currentTarget.value)} />
      <button type="button" class="help-button" aria-label="Keyboard help"
        onClick={() => { helpShown.value = true; }}>?</button>
    </header>
  );
}

/** What the broker refused, and what was thrown away: silent failures are the worst ones. */
export function Notices() {
  revision.value;
  const { ignored, messages, overflow } = store;
  const { phase, detail } = link.value;
  return (
    <div class="notices">
      {phase === 'lost' && messages > 0 && (
        <p class="notice bad" role="alert">
          The link to the broker is lost, {detail}. What stands here is what was last heard.
        </p>
      )}
      {refusals.value.map((r) => (
        <p key={r.filter} class="notice bad" role="alert">
          The broker refused <code>{r.filter}</code> ({r.reason}). Let this user read it in the
          broker&rsquo;s ACL.
        </p>
      ))}
      {overflow > 0 && (
        <p class="notice">
          More alerts are open than this page holds; {plural(overflow, 'less severe one')} left out.
        </p>
      )}
      {ignored > 0 && (
        <p class="notice">
          {plural(ignored, 'message')} ignored: not JSON, too large or without an id.
        </p>
      )}
    </div>
  );
}
